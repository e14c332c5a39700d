"""What the pages show, made of the store's rows: pure functions without a clock, a database or a request."""
