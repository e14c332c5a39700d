"""Connections to SQLite and PostgreSQL: one engine that writes, one that can only read.

SQLite: write-ahead log, every commit on the disk before it is acknowledged, writers queue instead of failing at once.
PostgreSQL: snapshots for readers, bounded waits. Knows no tables.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

FILE = "fleet.db"
LOCK_SECONDS = 5  # a writer that waits longer for another one gives up, and the batch is tried again later
READERS = 8


@dataclass(frozen=True, slots=True)
class Engines:
    """The two engines of one database."""

    writing: sa.Engine
    reading: sa.Engine

    @property
    def is_sqlite(self) -> bool:
        """Return which of the two databases this is."""
        return self.writing.dialect.name == "sqlite"

    def dispose(self) -> None:
        """Close every connection."""
        self.writing.dispose()
        self.reading.dispose()


def make(url: str, directory: Path, name: str = FILE, must_exist: bool = False) -> Engines:
    """Return the engines for `url`; an empty one means SQLite in `directory`, in the file `name`.

    Connections come later; with `must_exist` they fail where SQLite would make a new file.
    """
    return _postgresql(url) if url else _sqlite(directory / name, must_exist)


def _sqlite(file: Path, must_exist: bool) -> Engines:
    def engine(readers: bool) -> sa.Engine:
        made = sa.create_engine(
            "sqlite://",
            creator=lambda: _connect(file, readers, must_exist),
            poolclass=sa.pool.QueuePool,
            pool_size=READERS if readers else 1,
            max_overflow=0,
            pool_timeout=30,
        )
        begin = "BEGIN" if readers else "BEGIN IMMEDIATE"
        sa.event.listen(made, "begin", lambda connection: connection.exec_driver_sql(begin))
        return made

    return Engines(engine(readers=False), engine(readers=True))


def _connect(file: Path, readers: bool, must_exist: bool) -> sqlite3.Connection:
    # Transactions are ours to begin and end: isolation_level None keeps the module from opening some itself.
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={'rw' if must_exist or readers else 'rwc'}",
        uri=True,
        timeout=LOCK_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    if readers:
        connection.execute("PRAGMA query_only = 1")
        return connection
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    connection.execute("PRAGMA cache_size = -16384")
    return connection


def _postgresql(url: str) -> Engines:
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    waits = f"-c lock_timeout={LOCK_SECONDS}s -c idle_in_transaction_session_timeout=60s"

    def engine(options: str, size: int, **more: Any) -> sa.Engine:
        arguments = {
            "connect_timeout": max(LOCK_SECONDS, 2),
            "options": options,
            "application_name": "archipel",
            # A server whose machine is gone is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,
        }
        return sa.create_engine(
            address,
            connect_args=arguments,
            pool_pre_ping=True,
            pool_size=size,
            max_overflow=0,
            pool_timeout=30,
            **more,
        )

    return Engines(
        engine(waits, 2),
        engine(
            f"{waits} -c default_transaction_read_only=on -c statement_timeout=20s",
            READERS,
            isolation_level="REPEATABLE READ",
        ),
    )
