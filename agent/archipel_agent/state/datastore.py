"""The door to k3s' own datastore where it is SQLite: a whole copy while k3s runs, and a look whether a copy is whole.

kine keeps its database in WAL mode, in which a reader never holds up a writer (sqlite.org/wal.html): the copy reads one
snapshot from its first page to its last while k3s goes on. It is taken in batches, between which others get the disk.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

BATCH_PAGES = 256  # a megabyte of 4 KiB pages
LOCK_SECONDS = 5.0


class DatastoreUnusable(Exception):
    """The database cannot be read, or is damaged; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a datastore holds: how many objects of each kind, by the resource in their keys."""

    objects: dict[str, int]

    @property
    def count(self) -> int:
        """All objects."""
        return sum(self.objects.values())


def copy(source: Path, target: Path, between: Callable[[float], None]) -> int:
    """Copy the datastore at `source` to `target` as one file and return its bytes; raise DatastoreUnusable.

    `between` is called after each batch with the share that is done (0 to 1), and may raise to end it.
    """
    with _explained(source), contextlib.closing(_reader(source)) as original:
        mode = original.execute("PRAGMA journal_mode").fetchone()[0]
        if (
            mode == "wal"
        ):  # one snapshot; without WAL it would hold up writers, so there each batch is a read of its own
            original.execute("BEGIN")
            original.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with contextlib.closing(sqlite3.connect(target)) as made:
            made.execute("PRAGMA synchronous=FULL")

            def told(_: int, remaining: int, total: int) -> None:
                between(1 - remaining / total if total else 1.0)

            original.backup(made, pages=BATCH_PAGES, progress=told, sleep=0.0)
            made.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
    return target.stat().st_size


def look(path: Path) -> Content:
    """Return what is in a copy that no k3s uses; raise DatastoreUnusable where it is not whole."""
    with _explained(path), contextlib.closing(_reader(path)) as database:
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise DatastoreUnusable(str(verdict))
        kinds: Counter[str] = Counter()
        # kine: every change is a row; the newest of a name counts, unless it says that the object is gone.
        query = "SELECT name FROM kine WHERE id IN (SELECT max(id) FROM kine GROUP BY name) AND deleted = 0"
        for (name,) in database.execute(query):
            if name.startswith("/registry/"):
                kinds[_kind(name)] += 1
    return Content(objects=dict(sorted(kinds.items())))


def _kind(key: str) -> str:
    """Return the resource of a key: /registry/RESOURCE/..., or /registry/GROUP/RESOURCE/... with a dot in the group."""
    parts = key.split("/")
    return "/".join(parts[2:4]) if "." in parts[2] else parts[2]


def _reader(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=LOCK_SECONDS, isolation_level=None)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatastoreUnusable(f"{path.name}: {error}") from error
