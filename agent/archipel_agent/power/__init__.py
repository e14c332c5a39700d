"""Power: what the machine is told to do when it goes, comes back, or the system hangs; and the UPS that announces it."""
