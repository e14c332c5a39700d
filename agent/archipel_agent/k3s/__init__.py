"""Stock k3s as Archipel sees it: its files, its unit, its service, its API; parsers sit above the two ports."""
