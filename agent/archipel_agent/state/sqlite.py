"""How the agent's databases are opened, and what an error of SQLite means: the same for the state and for the outbox.

A commit outlives a power cut: WAL mode with `synchronous=FULL` (sqlite.org/pragma.html#pragma_synchronous). What cannot be
used is left exactly as it is. Whoever opens a database has its schema, and its own words for what is wrong.
"""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

CACHE_KIB = 256  # of pages; SQLite's own 2 MiB fill as the file is checked at each start, and stay full
LOCK_SECONDS = 3.0


class Trouble(StrEnum):
    """Why a database cannot be used."""

    NEWER = "newer"
    DAMAGED = "damaged"
    LOCKED = "locked"
    FULL = "full"
    READ_ONLY = "read-only"
    FAILING = "failing"  # the disk refuses reads or writes


class Unfit(Exception):
    """What was opened is not to be used; `trouble` is NEWER or DAMAGED."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble


def connect(place: Path | str) -> sqlite3.Connection:
    """Return a connection for several threads, which take turns; transactions are begun by `transaction` only."""
    return sqlite3.connect(place, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False)


def prepare(connection: sqlite3.Connection, newest: int) -> int:
    """Make a connection durable; return the version of its schema, 0 for a new file. Raises Unfit and sqlite3.Error.

    `newest` is the version that this program writes.
    """
    run = connection.execute
    run(f"PRAGMA cache_size=-{CACHE_KIB}")
    version = int(run("PRAGMA user_version").fetchone()[0])
    if version > newest:
        detail = f"written by a newer Archipel (schema {version}, this program knows {newest})"
        raise Unfit(Trouble.NEWER, detail)
    verdict = run("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise Unfit(Trouble.DAMAGED, verdict)
    run("PRAGMA journal_mode=WAL")
    run("PRAGMA synchronous=FULL")
    return version


def build(connection: sqlite3.Connection, schema: str, version: int) -> None:
    """Run the statements of `schema` and note its version; the caller's transaction makes it all or nothing."""
    for statement in schema.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={version}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done in the block, or nothing of it. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def trouble_of(error: Exception) -> Trouble:
    """Return what an error of SQLite, or of the file system below it, means."""
    message = str(error).lower()
    if "locked" in message or "busy" in message:
        return Trouble.LOCKED
    if "disk is full" in message or getattr(error, "errno", None) == errno.ENOSPC:
        return Trouble.FULL
    if isinstance(error, OSError) or "readonly" in message or "unable to open" in message:
        return Trouble.READ_ONLY
    return Trouble.FAILING if "disk i/o" in message else Trouble.DAMAGED
