"""The technician's terminal UI: a client of the agent's socket, nothing more."""
