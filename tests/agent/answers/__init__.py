"""The answer file: read, applied, and what is written back."""
