"""A store on each of the two databases, empty, with a clock that stands still until a test moves it."""

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from archipel_fleet.storage import SqlStore, open_store
from archipel_fleet.storage.engines import FILE
from archipel_fleet.storage.migrating import migrate
from tests.fakes.fleet_context import CountedEntropy, FakeClock
from tests.fleet.postgresql import PROGRAMS, Server, postgresql
from tests.fleet.storage.speech import NOW

__all__ = ["postgresql"]


@dataclass
class Ground:
    """Where one test's database is, and the stores opened on it."""

    url: str
    directory: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    entropy: CountedEntropy = field(default_factory=CountedEntropy)
    opened: list[SqlStore] = field(default_factory=list)

    def open(self) -> SqlStore:
        """Open the database as a controller that starts would."""
        store = open_store(self.url, self.directory, self.clock, self.entropy)
        self.opened.append(store)
        return store

    def close(self) -> None:
        """Close every store."""
        for store in self.opened:
            store.close()
        self.opened = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the server started before the guards look which processes there are, not in the middle of a test."""
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and "ground" in item.fixturenames
            and item.get_closest_marker("postgresql")
        ):
            item.fixturenames = [
                "postgresql",
                *item.fixturenames,
            ]  # its own list; the other database shares the first


@pytest.fixture(params=[
    "sqlite",
    pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.real_process, pytest.mark.timeout(60)]),
])  # fmt: skip
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """An empty database of each kind."""
    url = ""
    if request.param == "postgresql":
        if not PROGRAMS.is_dir():
            pytest.skip(f"no PostgreSQL in {PROGRAMS}")
        server: Server = request.getfixturevalue("postgresql")
        url = server.emptied()
    one = Ground(url, tmp_path)
    yield one
    one.close()


@functools.cache
def with_tables() -> bytes:
    """The file of a SQLite database that has our tables and no row; the other database is one that was used before, too."""
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    with engine.begin() as connection:
        migrate(connection)
    with closing(engine.raw_connection()) as lent:
        assert isinstance(lent.driver_connection, sqlite3.Connection)
        content = lent.driver_connection.serialize()
    engine.dispose()
    return content


@pytest.fixture
def store(ground: Ground) -> SqlStore:
    """A store that listens."""
    if not ground.url:
        (ground.directory / FILE).write_bytes(with_tables())
    opened = ground.open()
    opened.listening(NOW - 1000, NOW)
    return opened


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Ground]:
    """An empty SQLite database, for what only concerns files."""
    one = Ground("", tmp_path)
    yield one
    one.close()
