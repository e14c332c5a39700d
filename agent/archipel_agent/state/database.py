"""The state database: opened with full durability, or refused with the reason.

One connection, shared by threads under a lock; `sqlite` says how it is opened. A database that is damaged, newer than this
program, locked or on a read-only disk is left exactly as it is; the agent then goes on without state and says so.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from archipel_agent.state import sqlite
from archipel_agent.state.sqlite import LOCK_SECONDS, Trouble

SCHEMA_VERSION = 2

# Orders of the fleet with what came of them, and the audit journal.
ORDERS = """
CREATE TABLE orders (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, command TEXT NOT NULL, result TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0, said INTEGER NOT NULL DEFAULT 0, data BLOB
);
CREATE TABLE audit (number INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""
SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE jobs (id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX jobs_by_key ON jobs (key);
CREATE TABLE journal (
    job TEXT NOT NULL, position INTEGER NOT NULL, step TEXT NOT NULL, phase TEXT NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (job, position)
) WITHOUT ROWID;
CREATE TABLE durations (step TEXT NOT NULL, number INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (step, number))
    WITHOUT ROWID;
{ORDERS}
"""
UPGRADES = {1: ORDERS}  # what leads from a version of the schema to the next
CODES = {
    Trouble.NEWER: "state-newer",
    Trouble.DAMAGED: "state-damaged",
    Trouble.LOCKED: "state-locked",
    Trouble.FULL: "disk-full",
    Trouble.READ_ONLY: "state-read-only",
    Trouble.FAILING: "state-damaged",
}


class StateUnusable(Exception):
    """The database cannot be used; `code` is the finding: state-damaged, state-newer, state-locked,
    state-read-only, disk-full."""

    def __init__(self, code: str, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.code = code
        self.path = path
        self.detail = detail


class Database:
    """An open state database."""

    def __init__(self, path: Path, source: Path | None = None) -> None:
        """Open `path`, making it if it is not there; raise StateUnusable. `source`: see `copy_of`."""
        self._path = source or path
        self._lock = threading.RLock()
        try:
            if source is None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite.connect(":memory:" if source else path)
        except (OSError, sqlite3.Error) as error:
            raise StateUnusable(_code(error), path, str(error)) from error
        try:
            if source is not None:
                self._fill(source)
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise StateUnusable(_code(error), self._path, str(error)) from error
        except StateUnusable:
            self._connection.close()
            raise
        if source is None:
            path.chmod(0o600)

    @classmethod
    def copy_of(cls, path: Path) -> "Database":
        """Return a copy in memory of the database at `path`, empty if there is none: for looking without writing.

        Raises StateUnusable as opening it would.
        """
        return cls(path, source=path)

    def _fill(self, source: Path) -> None:
        if not source.exists():
            return
        original = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_SECONDS)
        with contextlib.closing(original):
            original.backup(self._connection)

    def _prepare(self) -> None:
        try:
            version = sqlite.prepare(self._connection, SCHEMA_VERSION)
        except sqlite.Unfit as unfit:
            raise StateUnusable(CODES[unfit.trouble], self._path, str(unfit)) from unfit
        if version < SCHEMA_VERSION:
            steps = [UPGRADES[step] for step in range(version, SCHEMA_VERSION)] if version else [SCHEMA]
            with self.transaction():  # a cut leaves the version before, whole
                sqlite.build(self._connection, "".join(steps), SCHEMA_VERSION)
        else:
            with (
                self.transaction()
            ):  # shows a read-only disk or a foreign lock now, not in the middle of a job
                pass

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside one transaction: all of it is durable after the block, or none of it.

        Raises StateUnusable when the database cannot be written (a full or failing disk, a lock that stays).
        """
        with self._lock, self._explained(), sqlite.transaction(self._connection):
            yield self._connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for reading; raises StateUnusable when it cannot be read."""
        with self._lock, self._explained():
            yield self._connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StateUnusable(_code(error), self._path, str(error)) from error

    def close(self) -> None:
        """Close the database; it is whole at any time, this only frees the file."""
        with self._lock:
            self._connection.close()


def _code(error: Exception) -> str:
    return CODES[sqlite.trouble_of(error)]
