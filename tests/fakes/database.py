"""The state database on a treacherous disk: every commit has an instant before and one after it.

SQLite with synchronous=FULL loses nothing it has committed and keeps nothing it has not (its documentation of atomic
commit), so a cut in the middle of a commit is one of the two. The file lies on the disk of the test and goes with it.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from archipel_agent.state import sqlite
from archipel_agent.state.database import SCHEMA, SCHEMA_VERSION, Database
from tests.fakes.disk import TreacherousDisk

PRIVATE = 0o600


class TreacherousDatabase(Database):
    """A Database in memory whose content is on the disk after every commit."""

    def __init__(self, disk: TreacherousDisk, path: Path) -> None:
        """Open what the disk has at `path`, or make a new one."""
        self._path = path
        self._disk = disk
        self._lock = threading.RLock()
        self._connection = sqlite.connect(":memory:")
        if disk.exists(path):
            self._connection.deserialize(disk.read(path))
        else:
            with self.transaction():
                sqlite.build(self._connection, SCHEMA, SCHEMA_VERSION)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """See Database."""
        self._disk.power.check()
        with super().transaction() as connection:
            yield connection
            self._disk.power.point("before commit")
        self._disk.put(self._path, self._connection.serialize(), PRIVATE)
        self._disk.power.point("after commit")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """See Database."""
        self._disk.power.check()
        with super().reading() as connection:
            yield connection
