"""The doors: the only modules through which the agent touches processes, files, the clock and the machine."""
