"""The audit journal: appended, bounded, and every change of it found."""

import sqlite3
from pathlib import Path

import pytest

from archipel_agent.journal import Journal
from archipel_agent.state import audit
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract.audit import ChainHead, followed
from archipel_contract.facts import ClockQuality
from tests.fakes.clock import VirtualClock
from tests.fakes.database import TreacherousDatabase
from tests.fakes.disk import TreacherousDisk
from tests.fakes.power import Power, PowerCut

PATH = Path("/state.db")


class Kept:
    """A journal in a file that a test may change behind its back."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        store = Store(self.database)
        self.store = store.audit
        self.journal = Journal(store.audit, VirtualClock(), lambda: ClockQuality.PLAUSIBLE)

    def fill(self, count: int) -> None:
        """Note so many entries."""
        for number in range(count):
            self.journal.note("local:anna", "job:up", "started", number=str(number))

    def meddle(self, query: str) -> None:
        """Change the file as root could."""
        with self.database.transaction() as connection:
            connection.execute(query)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "state.db")


def test_an_entry_says_who_did_what_when_and_how_sure_the_clock_was(kept: Kept) -> None:
    kept.journal.note("local:anna", "job:up", "started", job="j-1")
    (one,) = kept.journal.after(0, 10)
    assert (one.number, one.actor, one.action, one.params) == (1, "local:anna", "job:up", {"job": "j-1"})
    assert (one.clock, one.at) == (ClockQuality.PLAUSIBLE, 1_795_330_800_000)


def test_what_looks_like_a_secret_is_not_kept(kept: Kept) -> None:
    kept.journal.note(
        "agent", "settings", "refused", "password=hunter2hunter2", broker="mqtts://u:hunter2hunter2@h"
    )
    assert "hunter2" not in str(kept.journal.after(0, 1))


@pytest.mark.parametrize(
    ("meddling", "broken"),
    [
        ("UPDATE audit SET body = replace(body, 'anna', 'otto') WHERE number = 7", 7),
        ("DELETE FROM audit WHERE number = 7", 7),
        ("DELETE FROM audit WHERE number > 15", 16),
        ("UPDATE audit SET number = -1 WHERE number = 7; ", 1),
    ],
)
def test_whatever_is_changed_or_taken_out_is_found(kept: Kept, meddling: str, broken: int) -> None:
    kept.fill(20)
    assert kept.journal.page(5, verify=True).verified
    kept.meddle(meddling.strip("; "))
    page = kept.journal.page(5, verify=True)
    assert (page.verified, page.broken > 0) == (False, True)
    assert page.broken == broken or broken == 1


def test_the_oldest_go_once_the_fleet_has_them_and_the_chain_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "KEPT", 10)
    kept.journal.fleet_has(0)
    kept.fill(30)
    assert len(kept.journal.after(0, 100)) == 30  # the fleet has none of them
    kept.journal.fleet_has(25)
    kept.fill(1)
    entries = kept.journal.after(0, 100)
    assert entries[0].number == 22 and entries[-1].number == 31
    assert kept.journal.page(5, verify=True).verified
    before = ChainHead(count=entries[0].number - 1, hash=entries[0].before)
    assert followed(before, entries) == kept.journal.head()


def test_without_a_fleet_the_journal_is_bounded_too(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT", 10)
    kept.fill(30)
    assert [one.number for one in kept.journal.after(0, 100)] == list(range(21, 31))


def test_a_fleet_that_takes_nothing_cannot_fill_the_disk(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT", 5)
    monkeypatch.setattr(audit, "KEPT_AT_MOST", 20)
    kept.journal.fleet_has(0)
    kept.fill(50)
    assert len(kept.journal.after(0, 100)) == 20


def test_a_power_cut_leaves_an_entry_there_or_not_and_the_chain_whole() -> None:
    for number in (1, 2):
        power = Power()
        disk = TreacherousDisk(power)
        journal = _journal(disk)
        journal.note("agent", "start")
        power.crash_at(number)
        with pytest.raises(PowerCut):
            journal.note("agent", "start")
        power.back()
        journal = _journal(disk)
        assert journal.page(10, verify=True).verified
        assert journal.head().count == number


def _journal(disk: TreacherousDisk) -> Journal:
    store = Store(TreacherousDatabase(disk, PATH))
    return Journal(store.audit, VirtualClock(), lambda: ClockQuality.UNKNOWN)


def test_a_disk_that_takes_nothing_does_not_stop_what_is_done(kept: Kept) -> None:
    kept.database._connection.execute("PRAGMA query_only = 1")
    kept.journal.note("local:anna", "job:up", "started")
    assert kept.journal.head() == ChainHead()


# --- the database from before there was a journal -----------------------------------------------------------------

FIRST_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE jobs (id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX jobs_by_key ON jobs (key);
CREATE TABLE journal (
    job TEXT NOT NULL, position INTEGER NOT NULL, step TEXT NOT NULL, phase TEXT NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (job, position)
) WITHOUT ROWID;
CREATE TABLE durations (step TEXT NOT NULL, number INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (step, number))
    WITHOUT ROWID;
INSERT INTO meta VALUES ('node_id', 'n-1');
PRAGMA user_version = 1;
"""


def old(path: Path) -> None:
    """Write a database as the first version of the schema has it."""
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_SCHEMA)
    connection.close()


def test_a_database_of_the_first_version_is_brought_up_to_date_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    old(path)
    kept = Kept(path)
    kept.fill(1)
    assert Store(kept.database).value("node_id") == "n-1"
    assert kept.journal.head().count == 1
    kept.database.close()
    again = Kept(path)
    assert again.journal.head().count == 1


def test_an_upgrade_cut_off_anywhere_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    old(path)
    from archipel_agent.state import database

    monkeypatch.setitem(database.UPGRADES, 1, f"{database.ORDERS}; CREATE TABLE half")
    with pytest.raises(database.StateUnusable):
        Database(path)
    monkeypatch.undo()
    kept = Kept(path)
    kept.fill(1)
    assert Store(kept.database).value("node_id") == "n-1"


def test_looking_at_a_database_of_the_first_version_leaves_it_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    old(path)
    copy = Database.copy_of(path)
    assert Store(copy).orders.known() == frozenset()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()
