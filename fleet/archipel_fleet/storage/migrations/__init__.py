"""The schema's history, for Alembic: `env` runs it, `versions` holds one module for each step."""
