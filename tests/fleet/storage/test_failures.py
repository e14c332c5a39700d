"""When the database cannot be used: each way has its code, nothing half done stays, and the rest goes on."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from archipel_fleet.ports import StoreFailed
from archipel_fleet.records import EVERYTHING, SiteQuery
from archipel_fleet.storage import SqlStore, bulk, engines, open_store
from archipel_fleet.storage.failures import failed
from tests.fakes.fleet_context import CountedEntropy, FakeClock
from tests.fleet.postgresql import Server, server
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import NOW, Speaker


def code(action: object, *arguments: object) -> str:
    assert callable(action)
    with pytest.raises(StoreFailed) as failed:
        action(*arguments)
    return failed.value.code


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for a moment only."""
    monkeypatch.setattr(engines, "LOCK_SECONDS", 0)


def test_a_locked_database_is_said_so_and_the_batch_is_taken_afterwards(
    impatient: None, sqlite: Ground
) -> None:
    store = sqlite.open()
    pi = Speaker()
    other = sqlite3.connect(sqlite.directory / "fleet.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert code(store.take, pi.birth()) == "fleet-database-locked"
    assert store.sites(EVERYTHING, SiteQuery(), NOW).total == 0
    other.execute("ROLLBACK")
    other.close()
    assert store.take(pi.birth()).duplicates == 1 - 1
    assert store.sites(EVERYTHING, SiteQuery(), NOW).total == 1


def test_a_directory_that_is_not_there_is_a_database_that_is_away(tmp_path: Path) -> None:
    assert code(open_store, "", tmp_path / "none", FakeClock(NOW), CountedEntropy()) == "fleet-database-away"


def test_a_file_that_is_no_database_is_left_alone(sqlite: Ground) -> None:
    file = sqlite.directory / "fleet.db"
    file.write_bytes(b"this is a letter to my bank, not a database" * 100)
    before = file.read_bytes()
    assert code(sqlite.open) == "fleet-database-damaged"
    assert file.read_bytes() == before


def test_a_database_damaged_in_the_middle_is_said_so(sqlite: Ground) -> None:
    store = sqlite.open()
    for number in range(40):
        store.take([Speaker(number).hello()])
    store.close()
    file = sqlite.directory / "fleet.db"
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (file.stat().st_size - 4096))
    assert code(sqlite.open) == "fleet-database-damaged"


def test_a_file_that_may_not_be_written_is_a_database_that_is_away(sqlite: Ground) -> None:
    sqlite.open().close()
    raw = sqlite3.connect(f"file:{sqlite.directory / 'fleet.db'}?mode=ro&immutable=1", uri=True)
    with pytest.raises(sqlite3.OperationalError) as refused:
        raw.execute("CREATE TABLE x (y)")
    raw.close()

    assert failed(refused.value).code == "fleet-database-away"


def test_a_full_disk_is_said_so_and_nothing_of_the_batch_stays(sqlite: Ground) -> None:
    store = sqlite.open()
    with store._engines.writing.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute(f"PRAGMA max_page_count = {raw.execute('PRAGMA page_count').fetchone()[0] + 2}")
    pi = Speaker()
    many = [*pi.birth(), *(pi.event(text="x" * 250, params={str(n): "y" * 250}) for n in range(200))]
    assert code(store.take, many) == "fleet-disk-full"
    assert store.sites(EVERYTHING, SiteQuery(), NOW).total == 0
    with store._engines.writing.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute("PRAGMA max_page_count = 100000")
    assert store.take(many).duplicates == 0
    assert store.site(EVERYTHING, pi.site, NOW) is not None


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may kill."""
    with server() as one:
        yield one


class Broken(Exception):
    """Stands for whatever nobody thought of."""


def test_whatever_fails_in_the_middle_of_a_batch_leaves_nothing_of_it(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi = Speaker()
    store.take([*pi.birth(), pi.event(text="1")])
    batch = [pi.event(text="2"), pi.changed(generation=5), pi.samples(NOW, 1.0)]
    whole = bulk.write
    left = 0

    def failing(connection: sa.Connection, statement: bulk.Upsert, rows: Sequence[tuple[Any, ...]]) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Broken
        whole(connection, statement, rows)

    for limit in range(1, 9):
        left = limit
        with monkeypatch.context() as patched:
            patched.setattr(bulk, "write", failing)
            with pytest.raises(Broken):
                store.take(batch)
        assert [one.text for one in store.events(EVERYTHING, pi.site)] == ["1"]
    assert store.take(batch).duplicates == 0
    assert [one.text for one in store.events(EVERYTHING, pi.site)] == ["2", "1"]


@pytest.mark.postgresql
@pytest.mark.real_process
@pytest.mark.timeout(60)
def test_a_server_that_is_killed_in_the_middle_of_batches_keeps_all_or_nothing_of_each(
    own_server: Server, tmp_path: Path
) -> None:
    url = own_server.database()
    store = open_store(url, tmp_path, FakeClock(NOW), CountedEntropy())
    pi = Speaker()
    store.take(pi.birth())
    batches = [[pi.event(text=f"{number}-{place}") for place in range(50)] for number in range(30)]
    committed: list[int] = []
    failed: list[str] = []

    def speak() -> None:
        for number, batch in enumerate(batches):
            try:
                store.take(batch)
                committed.append(number)
            except StoreFailed as error:
                failed.append(error.code)
                return

    thread = threading.Thread(target=speak)
    thread.start()
    while len(committed) < 3 and thread.is_alive():
        time.sleep(0.001)
    own_server.kill()
    thread.join()
    own_server.start()
    assert failed in ([], ["fleet-database-away"])
    texts = {one.text for one in store.events(EVERYTHING, pi.site, limit=1000)}
    for number in range(len(batches)):
        found = len(texts & {f"{number}-{place}" for place in range(50)})
        assert found == 50 if number in committed else found in (0, 50)
    for batch in batches:
        store.take(batch)
    assert len(store.events(EVERYTHING, pi.site, limit=1000)) == 1000
    assert store.take(batches[0]).acks[pi.node_id][0].upto == 1500
    store.close()


@pytest.mark.postgresql
@pytest.mark.real_process
def test_a_server_that_is_not_there_is_a_database_that_is_away(postgresql: Server, tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    assert code(open_store, url, tmp_path, FakeClock(NOW), CountedEntropy()) == "fleet-database-away"
    missing = f"{postgresql.address}/there_is_none"
    assert code(open_store, missing, tmp_path, FakeClock(NOW), CountedEntropy()) == "fleet-database-away"


@pytest.mark.postgresql
@pytest.mark.real_process
def test_a_row_that_another_program_holds_is_waited_for_and_then_said_so(
    impatient: None, postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(engines, "LOCK_SECONDS", 1)
    url = postgresql.database()
    store = open_store(url, tmp_path, FakeClock(NOW), CountedEntropy())
    pi = Speaker()
    store.take(pi.birth())
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE nodes IN EXCLUSIVE MODE")
        assert code(store.take, [pi.event()]) == "fleet-database-locked"
    assert store.take([pi.event()]).duplicates == 0
    store.close()
