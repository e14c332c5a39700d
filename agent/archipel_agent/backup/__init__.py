"""Backups of a site: what belongs into one, how it is written and read, where it goes, when it is due."""
