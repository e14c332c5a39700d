"""A copy holds the whole fleet, goes from either database into either, and whatever is not a whole copy changes nothing."""

import json
import os
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from archipel_contract.link.delta import state_hash
from archipel_fleet import backup as copies
from archipel_fleet.backup import BackupFailed, backup, restore, verified
from archipel_fleet.host.files import DirectoryLock
from archipel_fleet.records import EVERYTHING, Account, AccountRole, ContactState, SiteQuery
from archipel_fleet.storage import SqlStore, copying, migrating
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import DAY, HOUR, NOW, Speaker
from tests.fleet.storage.test_scopes import asked, everything_read, fill


def everything(store: SqlStore) -> list[dict[str, Any]]:
    return [everything_read(store, EVERYTHING, asked(number)) for number in range(1, 5)]


@pytest.fixture
def copy(ground: Ground, store: SqlStore, tmp_path: Path) -> Path:
    """A copy of a filled store."""
    fill(store)
    store.put_account(Account(name="anna", role=AccountRole.ADMIN), "hash")
    store.open_session("digest", "anna", NOW, NOW + DAY)
    made = backup(ground.url, ground.directory, tmp_path / "copy", NOW)
    assert made.rows["nodes"] == 4
    return made.file


def unusable(source: Path, ground: Ground) -> str:
    with pytest.raises(BackupFailed) as failed:
        restore(source, ground.url, ground.directory, ground.entropy)
    assert failed.value.code == "fleet-backup-unusable"
    assert str(source) in str(failed.value)
    return str(failed.value)


def test_a_restored_controller_knows_all_that_the_copy_knows(
    ground: Ground, store: SqlStore, copy: Path
) -> None:
    before = everything(store)
    store.take([Speaker(9).hello(), Speaker(1, site_name="renamed").hello()])
    store.close()
    restore(copy, ground.url, ground.directory, ground.entropy)
    restored = ground.open()
    assert everything(restored) == before
    assert restored.password_hash("anna") == "hash"
    assert restored.session("digest", NOW) is None


def test_a_restored_controller_has_another_life_so_that_devices_offer_again_what_they_keep(
    ground: Ground, store: SqlStore, copy: Path
) -> None:
    pi = Speaker(1, "s-0000000000000001", "fjord-1", "fjord-pi-1")
    pi.sequences = {1: 2}
    since_the_copy = pi.event(text="since the copy")
    taken = store.take([since_the_copy])
    store.close()
    restore(copy, ground.url, ground.directory, ground.entropy)
    restored = ground.open()
    assert restored.incarnation not in ("", store.incarnation)
    welcome = restored.take([pi.hello()]).welcomes[pi.node_id]
    assert welcome.incarnation == restored.incarnation
    again = restored.take([since_the_copy])
    assert (again.duplicates, again.acks) == (0, taken.acks)
    assert restored.events(EVERYTHING, pi.site)[0].text == "since the copy"


def test_the_time_between_copy_and_restore_counts_as_away(
    ground: Ground, store: SqlStore, copy: Path
) -> None:
    store.listening(NOW - 1000, NOW + 30_000)
    store.close()
    restore(copy, ground.url, ground.directory, ground.entropy)
    restored = ground.open()
    restored.listening(NOW + DAY, NOW + DAY)
    (away,) = restored.summary(EVERYTHING, NOW + DAY).away
    assert (away.since, away.until) == (NOW, NOW + DAY)
    states = {one.contact.state for one in restored.sites(EVERYTHING, SiteQuery(), NOW + DAY).rows}
    assert states == {ContactState.UNKNOWN}


def test_a_copy_of_one_database_is_restored_into_the_other(
    ground: Ground, store: SqlStore, copy: Path, tmp_path: Path
) -> None:
    before = everything(store)
    (tmp_path / "other").mkdir()
    other = Ground("", tmp_path / "other")
    restore(copy, other.url, other.directory, other.entropy)
    restored = other.open()
    assert everything(restored) == before
    backup(other.url, other.directory, tmp_path / "second", NOW)
    other.close()
    store.close()
    restore(tmp_path / "second", ground.url, ground.directory, ground.entropy)
    assert everything(ground.open()) == before


def test_a_copy_is_of_one_moment_while_the_controller_goes_on(
    ground: Ground, store: SqlStore, tmp_path: Path
) -> None:
    pi = Speaker()
    store.take(pi.birth())
    stop = threading.Event()
    count = 0

    def speak() -> None:
        nonlocal count
        while not stop.is_set():
            store.take([pi.event(text="x"), pi.samples(NOW, 1.0)])
            count += 1

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        while count < 5:
            time.sleep(0.005)
        made = backup(ground.url, ground.directory, tmp_path / "copy", NOW)
    finally:
        stop.set()
        thread.join()
    store.close()
    restore(made.file, ground.url, ground.directory, ground.entropy)
    restored = ground.open()
    events = len(restored.events(EVERYTHING, pi.site, limit=1000))
    series = restored.metrics(EVERYTHING, pi.node_id, 0, NOW + HOUR)
    assert series is not None
    assert 5 <= events == len(series.at) <= count
    assert restored.take([pi.hello()]).welcomes[pi.node_id].state_hash == state_hash(pi.state)


def test_only_its_owner_may_read_a_copy(ground: Ground, copy: Path) -> None:
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in copy.parent.iterdir() if one.name.endswith(".new")] == []


# --- what is no whole copy -------------------------------------------------------------------------------------------


@pytest.fixture
def kept(sqlite: Ground) -> bytes:
    """The database of a filled store that nobody may touch."""
    store = sqlite.open()
    fill(store)
    backup("", sqlite.directory, sqlite.directory / "copy", NOW)
    sqlite.close()
    return (sqlite.directory / "fleet.db").read_bytes()


def test_wherever_a_copy_is_cut_it_is_refused_and_nothing_is_touched(sqlite: Ground, kept: bytes) -> None:
    whole = (sqlite.directory / "copy").read_bytes()
    cut = sqlite.directory / "cut"
    for length in [*range(0, 60, 7), *range(60, len(whole), max(1, len(whole) // 40)), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        unusable(cut, sqlite)
    assert (sqlite.directory / "fleet.db").read_bytes() == kept
    assert (
        sorted(one.name for one in sqlite.directory.iterdir())
        == ["controller.lock", "copy", "cut", "fleet.db"][1:]
    )


def test_a_copy_with_any_byte_changed_is_refused(sqlite: Ground, kept: bytes) -> None:
    whole = (sqlite.directory / "copy").read_bytes()
    changed = sqlite.directory / "changed"
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        with pytest.raises(BackupFailed):
            verified(changed)
    changed.write_bytes(whole + b"\n")
    assert "behind its end" in unusable(changed, sqlite)
    assert (sqlite.directory / "fleet.db").read_bytes() == kept


def written(path: Path, lines: list[Any]) -> Path:
    """A copy with these lines and the right checksum."""
    with path.open("wb") as file:
        head, *rest = lines
        parts = iter([
            copying.Table(one["table"], tuple(one["columns"])) if isinstance(one, dict) else one for one in rest
        ])  # fmt: skip
        copies._write(file, head, parts)
    return path


HEAD = {"format": 1, "schema": "0001", "made": NOW, "incarnation": "x"}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([{**HEAD, "schema": "9999"}], "9999"),
        ([{**HEAD, "format": 2}], "format 2"),
        ([{"made": NOW}], "does not say what it is"),
        ([["a row"]], "does not say what it is"),
        ([HEAD, {"table": "nodes", "columns": ["nonsense"]}, [1]], "nonsense"),
        ([HEAD, {"table": "secrets", "columns": ["a"]}, [1]], "secrets"),
        ([HEAD, {"table": "nodes", "columns": ["node_id"]}, [1, 2]], "2 values for 1 columns"),
        (
            [
                HEAD,
                {"table": "node_states", "columns": ["node_id", "customer", "state"]},
                ["n", "c", {"$": "?"}],
            ],
            "",
        ),
        (
            [
                HEAD,
                {"table": "node_states", "columns": ["node_id", "customer", "state"]},
                ["n", "c", {"x": "?"}],
            ],
            "",
        ),
    ],
)
def test_a_copy_that_does_not_fit_is_refused_with_its_reason_and_nothing_is_touched(
    sqlite: Ground, kept: bytes, lines: list[Any], says: str
) -> None:
    assert says in unusable(written(sqlite.directory / "odd", lines), sqlite)
    assert (sqlite.directory / "fleet.db").read_bytes() == kept
    assert not list(sqlite.directory.glob("fleet.db.restoring*"))


@pytest.mark.parametrize(
    "body", [b"", b"SQLite format 3\0", copies.MAGIC, copies.MAGIC + zlib.compress(b"\n" * 99)]
)
def test_foreign_files_are_refused(sqlite: Ground, body: bytes) -> None:
    file = sqlite.directory / "foreign"
    file.write_bytes(body)
    unusable(file, sqlite)


def test_a_bomb_is_refused_before_it_fills_memory(sqlite: Ground) -> None:
    file = sqlite.directory / "bomb"
    packer = zlib.compressobj(9)
    with file.open("wb") as bomb:
        bomb.write(copies.MAGIC)
        for _ in range(64):
            bomb.write(packer.compress(b" " * (1 << 20)))
        bomb.write(packer.flush())
    assert "longer than any of ours" in unusable(file, sqlite)


def test_a_copy_that_is_not_there_or_cannot_be_written_is_said_so(sqlite: Ground) -> None:
    sqlite.open()
    unusable(sqlite.directory / "none", sqlite)
    with pytest.raises(BackupFailed) as failed:
        backup("", sqlite.directory, sqlite.directory / "no" / "where", NOW)
    assert failed.value.code == "fleet-data-unusable"
    with pytest.raises(BackupFailed) as failed:
        backup("", sqlite.directory / "elsewhere", sqlite.directory / "copy", NOW)
    assert failed.value.code == "fleet-database-away"
    assert not (sqlite.directory / "elsewhere").exists()


def test_nothing_is_restored_under_a_running_controller(sqlite: Ground, kept: bytes) -> None:
    lock = DirectoryLock(sqlite.directory)
    with pytest.raises(BackupFailed) as failed:
        restore(sqlite.directory / "copy", "", sqlite.directory, sqlite.entropy)
    lock.release()
    assert failed.value.code == "fleet-already-running"
    assert (sqlite.directory / "fleet.db").read_bytes() == kept


def test_the_database_that_was_replaced_is_kept_aside(sqlite: Ground, kept: bytes) -> None:
    done = restore(sqlite.directory / "copy", "", sqlite.directory, sqlite.entropy)
    assert done.aside is not None
    assert done.aside.read_bytes() == kept
    os.replace(done.aside, sqlite.directory / "fleet.db")
    assert sqlite.open().summary(EVERYTHING, NOW).sites == 4


def test_a_damaged_database_can_be_replaced(sqlite: Ground, kept: bytes) -> None:
    (sqlite.directory / "fleet.db").write_bytes(b"\xff" * 8192)
    (sqlite.directory / "fleet.db-wal").write_bytes(b"left over")
    restore(sqlite.directory / "copy", "", sqlite.directory, sqlite.entropy)
    assert sqlite.open().summary(EVERYTHING, NOW).sites == 4


def test_a_copy_says_what_it_is_to_whoever_unpacks_it(sqlite: Ground, kept: bytes) -> None:
    magic, _, packed = (sqlite.directory / "copy").read_bytes().partition(b"\n")
    lines = zlib.decompress(packed).splitlines()
    assert magic == b"archipel fleet backup"
    assert json.loads(lines[0])["schema"] == migrating.revisions()[-1]
    assert json.loads(lines[-1])["rows"]["sites"] == 4
    assert not [line for line in lines if b'"table":"sessions"' in line]
