"""The few widgets the screens are made of; each draws lines of `text` and repaints only rows that changed."""
