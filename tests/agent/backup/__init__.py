"""Backups: their format, where they go, what they hold, and the way back."""
