"""The controller of a fleet of sites. It has no module yet: the fleet arrives after the single site stands."""
