"""The fleet's memory: one store over SQLite or PostgreSQL. Nothing else in the controller knows what a database is.

`open_store` is the way in. Reading and registering are SQLAlchemy Core; what the link writes goes through a hand-written
batch path (`taking`, `bulk`). Tables are in `schema`, their history in `migrations`.
"""

from archipel_fleet.storage.store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
