"""Programs that run inside a host, with its own Python and nothing but the standard library; each prints JSON."""
