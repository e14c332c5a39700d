"""Self-healing: what is tried, how often, and when it stops."""
