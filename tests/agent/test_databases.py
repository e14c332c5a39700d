"""State and outbox are opened by one rule: what cannot be used is refused with its finding, and left as it is."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel_agent.link.outbox import Outbox, OutboxUnusable
from archipel_agent.state import sqlite
from archipel_agent.state.database import Database, StateUnusable
from archipel_agent.state.sqlite import Trouble, trouble_of

Opened = Callable[[Path], Database | Outbox]
BOTH = pytest.mark.parametrize(
    ("kind", "opened"), [("state", Database), ("outbox", Outbox)], ids=["state", "outbox"]
)


def refused(opened: Opened, path: Path) -> str:
    """The finding with which a database is refused."""
    try:
        opened(path).close()
    except (StateUnusable, OutboxUnusable) as error:
        return error.code
    return ""


def written(path: Path, script: str) -> bytes:
    """Do something to a database behind the agent's back; return the file as it is then."""
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path.read_bytes()


@BOTH
def test_what_a_newer_program_wrote_is_left_alone(kind: str, opened: Opened, tmp_path: Path) -> None:
    before = written(tmp_path / "it.db", "PRAGMA user_version=99")
    assert refused(opened, tmp_path / "it.db") == f"{kind}-newer"
    assert (tmp_path / "it.db").read_bytes() == before


@BOTH
def test_a_damaged_file_is_left_alone(kind: str, opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "it.db"
    opened(path).close()
    torn = path.read_bytes()[:4096] + bytes(4096 * 6)
    path.write_bytes(torn)
    assert refused(opened, path) == f"{kind}-damaged"
    assert path.read_bytes() == torn


@BOTH
def test_a_lock_of_somebody_else_is_named(
    kind: str, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.0)
    path = tmp_path / "it.db"
    opened(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert refused(opened, path) == f"{kind}-locked"
    finally:
        other.close()


@BOTH
def test_a_commit_is_flushed_before_it_returns(kind: str, opened: Opened, tmp_path: Path) -> None:
    one = opened(tmp_path / "it.db")
    asked = [
        one._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    ]
    one.close()
    assert asked == ["wal", 2]


def test_a_block_that_fails_leaves_nothing_behind() -> None:
    connection = sqlite.connect(":memory:")
    connection.execute("CREATE TABLE t (x)")
    with pytest.raises(ValueError, match="no"), sqlite.transaction(connection):
        connection.execute("INSERT INTO t VALUES (1)")
        raise ValueError("no")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (sqlite3.OperationalError("database is locked"), Trouble.LOCKED),
        (sqlite3.OperationalError("database or disk is full"), Trouble.FULL),
        (OSError(28, "No space left on device"), Trouble.FULL),
        (OSError(30, "Read-only file system"), Trouble.READ_ONLY),
        (sqlite3.OperationalError("attempt to write a readonly database"), Trouble.READ_ONLY),
        (sqlite3.OperationalError("unable to open database file"), Trouble.READ_ONLY),
        (sqlite3.OperationalError("disk I/O error"), Trouble.FAILING),
        (sqlite3.DatabaseError("database disk image is malformed"), Trouble.DAMAGED),
    ],
)
def test_each_error_of_the_file_has_its_meaning(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble
