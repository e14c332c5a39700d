"""The controller's doors to its machine: clock, randomness, processes."""
