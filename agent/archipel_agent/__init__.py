"""The agent: runs on each node, makes it a k3s site, watches it and says why when something is not OK."""
