"""The store's one suite: everything it does, on SQLite and on PostgreSQL."""
