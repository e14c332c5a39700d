"""What the agent remembers: the state database and what is kept in it."""
