"""The demo behind `make demo`: an agent for this machine, the technician's screen, one fault explained and healed."""
