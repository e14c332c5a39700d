"""What the medium with the site's data bears: how much is written to it, and what it says of its own wear."""
