"""The outbox on disk: a SQLite file with what waits for the controller's word, and with what it might ask for again.

`lanes` decides what is kept and what is dropped; here is only the file. In WAL mode with `synchronous=FULL` a commit
outlives a power cut; what may be lost without harm (acknowledgements, samples) is written with NORMAL, which spares the
card a sync.

Beside the file lies a mark that can be set even when the disk is full, because nothing grows for it: it says that entries
are held in memory only. If it still stands at the next start, some were lost.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archipel_agent.link.entries import OVERHEAD, Change, Entry, Key, Stamp
from archipel_agent.state import sqlite
from archipel_agent.state.sqlite import Trouble
from archipel_contract.facts import ClockQuality
from archipel_contract.link.epochs import Lane, lane_of

SCHEMA_VERSION = 1
KEPT_BYTES = 1 << 20  # acknowledged entries that are kept for a controller restored from an older copy
KEPT_COUNT = 2000
EPOCHS_KEPT = 400

SCHEMA = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL,
    at INTEGER NOT NULL, clock TEXT NOT NULL, up INTEGER NOT NULL, bytes INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL
);
CREATE UNIQUE INDEX by_name ON messages (epoch, sequence);
CREATE INDEX waiting ON messages (lane, id) WHERE acknowledged = 0;
CREATE INDEX kept ON messages (id, bytes) WHERE acknowledged = 1;
CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, last INTEGER NOT NULL, gone INTEGER NOT NULL);
"""
CODES = {
    Trouble.NEWER: "outbox-newer",
    Trouble.DAMAGED: "outbox-damaged",
    Trouble.LOCKED: "outbox-locked",
    Trouble.FULL: "outbox-full",
    Trouble.READ_ONLY: "outbox-read-only",
    Trouble.FAILING: "outbox-read-only",
}
COLUMNS = "lane, epoch, sequence, type, at, clock, up, body"


class OutboxUnusable(Exception):
    """The outbox cannot be used; `code` is the finding: outbox-damaged, outbox-newer, outbox-locked, outbox-read-only,
    outbox-full (for now: nothing that is in it is lost)."""

    def __init__(self, code: str, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.code = code


class Outbox:
    """An open outbox; calls may come from any thread."""

    def __init__(self, path: Path) -> None:
        """Open `path`, making it if it is not there; raise OutboxUnusable."""
        self.path = path
        self._lock = threading.RLock()
        is_new = not path.exists()
        self.was_marked = not is_new and _Mark.stands(path)
        with self._explained():
            self._connection = _connect(path)
            self._mark: _Mark | None = None
            try:
                self._prepare()
                self._mark = _Mark(path)
            except BaseException:
                self.close()
                raise
            path.chmod(0o600)

    def _prepare(self) -> None:
        try:
            version = sqlite.prepare(self._connection, SCHEMA_VERSION)
        except sqlite.Unfit as unfit:
            raise OutboxUnusable(CODES[unfit.trouble], self.path, str(unfit)) from unfit
        with sqlite.transaction(self._connection):
            if version == 0:
                sqlite.build(self._connection, SCHEMA, SCHEMA_VERSION)

    def mark(self, held: bool) -> None:
        """Note durably whether entries are held in memory only. Raises OutboxUnusable."""
        with self._lock, self._explained():
            assert self._mark is not None  # open as long as the outbox is
            self._mark.set(held)

    def write(self, change: Change, durable: bool = True) -> None:
        """Write a change, all of it or nothing; durable, it outlives a power cut. Raises OutboxUnusable."""
        with self._lock, self._explained(), self._level(durable), sqlite.transaction(self._connection):
            run = self._connection.execute
            for one in change.insert:
                values = (one.lane, *one.key, one.type, one.stamp.at, one.stamp.clock.value, one.stamp.up)
                query = "INSERT INTO messages (lane, epoch, sequence, type, at, clock, up, bytes, body)"
                run(f"{query} VALUES (?,?,?,?,?,?,?,?,?)", (*values, one.size, one.body))
                self._note_epoch(one.epoch, one.sequence, 0)
            for one in change.replace:
                query = "UPDATE messages SET body = ?, bytes = ? WHERE epoch = ? AND sequence = ?"
                run(query, (one.body, one.size, *one.key))
            for key in change.delete:
                run("DELETE FROM messages WHERE epoch = ? AND sequence = ?", key)
            for epoch, upto in change.gone.items():
                self._note_epoch(epoch, 0, upto)

    def _note_epoch(self, epoch: int, last: int, gone: int) -> None:
        query = (
            "INSERT INTO epochs VALUES (?1, ?2, ?3) ON CONFLICT (epoch) "
            "DO UPDATE SET last = max(last, ?2), gone = max(gone, ?3) WHERE last < ?2 OR gone < ?3"
        )
        self._connection.execute(query, (epoch, last, gone))

    def acknowledge(self, epoch: int, first: int, last: int) -> tuple[int, int]:
        """The controller has these: results and events are kept for it to ask again, samples are deleted.

        What is then too old or too much of what is kept is deleted. Returns how many wait no longer, and their bytes.
        Raises OutboxUnusable.
        """
        where = "epoch = ? AND sequence BETWEEN ? AND ? AND acknowledged = 0"
        span = (epoch, first, last)
        with self._lock, self._explained(), self._level(False), sqlite.transaction(self._connection):
            run = self._connection.execute
            query = f"SELECT count(*), coalesce(sum(bytes), 0), max(sequence) FROM messages WHERE {where}"
            count, size, highest = run(query, span).fetchone()
            if not count:
                return 0, 0
            if lane_of(epoch) is Lane.METRIC:
                run(f"DELETE FROM messages WHERE {where}", span)
                self._note_epoch(epoch, 0, highest)
            else:
                run(f"UPDATE messages SET acknowledged = 1 WHERE {where}", span)
                self._prune()
            return count, size

    def _prune(self) -> None:
        run = self._connection.execute
        count, size = run(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM messages WHERE acknowledged = 1"
        ).fetchone()
        if count <= KEPT_COUNT and size <= KEPT_BYTES:
            return
        # A tenth more than needed, so that this is not done anew with every acknowledgement.
        spare_count, spare_size = count - KEPT_COUNT * 9 // 10, size - KEPT_BYTES * 9 // 10
        query = "SELECT id, epoch, sequence, bytes FROM messages WHERE acknowledged = 1 ORDER BY id"
        for number, epoch, sequence, bytes_ in run(query).fetchall():
            if spare_count <= 0 and spare_size <= 0:
                break
            run("DELETE FROM messages WHERE id = ?", (number,))
            self._note_epoch(epoch, 0, sequence)
            spare_count, spare_size = spare_count - 1, spare_size - bytes_
        run(
            "DELETE FROM epochs WHERE epoch NOT IN (SELECT epoch FROM epochs ORDER BY epoch DESC LIMIT ?)",
            (EPOCHS_KEPT,),
        )

    def offer_again(self) -> None:
        """Let everything that is kept wait once more. Raises OutboxUnusable."""
        with self._lock, self._explained(), sqlite.transaction(self._connection):
            self._connection.execute("UPDATE messages SET acknowledged = 0 WHERE acknowledged = 1")

    def waiting(self, lane: Lane, limit: int) -> list[Entry]:
        """Return the oldest entries of a lane that wait. Raises OutboxUnusable."""
        query = f"SELECT {COLUMNS} FROM messages WHERE lane = ? AND acknowledged = 0 ORDER BY id LIMIT ?"
        return [_entry(row) for row in self._rows(query, (lane, limit))]

    def find(self, key: Key) -> Entry | None:
        """Return one entry that waits. Raises OutboxUnusable."""
        query = f"SELECT {COLUMNS} FROM messages WHERE epoch = ? AND sequence = ? AND acknowledged = 0"
        rows = self._rows(query, key)
        return _entry(rows[0]) if rows else None

    def totals(self) -> dict[Lane, tuple[int, int]]:
        """Return how many entries wait in each lane, and their bytes. Raises OutboxUnusable."""
        query = "SELECT lane, count(*), sum(bytes) FROM messages WHERE acknowledged = 0 GROUP BY lane"
        return {Lane(lane): (count, size) for lane, count, size in self._rows(query)}

    def oldest(self, lane: Lane, size: int) -> list[tuple[Key, int]]:
        """Return the oldest waiting entries (name, bytes) that make up at least `size` bytes. Raises OutboxUnusable."""
        query = "SELECT epoch, sequence, bytes FROM messages WHERE lane = ? AND acknowledged = 0 ORDER BY id LIMIT ?"
        found: list[tuple[Key, int]] = []
        for epoch, sequence, bytes_ in self._rows(query, (lane, size // OVERHEAD + 1)):
            if size <= 0:
                break
            found.append(((epoch, sequence), bytes_))
            size -= bytes_
        return found

    def present(self, epoch: int) -> list[int]:
        """Return every sequence of an epoch that is here, waiting or kept. Raises OutboxUnusable."""
        return [row[0] for row in self._rows("SELECT sequence FROM messages WHERE epoch = ?", (epoch,))]

    def epochs(self) -> dict[int, tuple[int, int]]:
        """Return of each epoch the last sequence stored, and up to which some were deleted. Raises OutboxUnusable."""
        return {row[0]: (row[1], row[2]) for row in self._rows("SELECT epoch, last, gone FROM epochs")}

    def waiting_epochs(self) -> set[int]:
        """Return the epochs of which anything waits. Raises OutboxUnusable."""
        return {row[0] for row in self._rows("SELECT DISTINCT epoch FROM messages WHERE acknowledged = 0")}

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with self._lock, self._explained():
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the files; they are whole at any time."""
        with self._lock:
            self._connection.close()
            if self._mark is not None:
                self._mark.close()

    @contextlib.contextmanager
    def _level(self, durable: bool) -> Iterator[None]:
        if durable:
            yield
            return
        self._connection.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA synchronous=FULL")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise OutboxUnusable(CODES[sqlite.trouble_of(error)], self.path, str(error)) from error


class _Mark:
    """One bit on disk: a SQLite file of a single page, which is overwritten in place."""

    def __init__(self, outbox: Path) -> None:
        self._connection = _connect(_mark_of(outbox))
        self._connection.execute("PRAGMA journal_mode=MEMORY")
        if self._connection.execute("PRAGMA application_id").fetchone()[0] == 0:
            self._connection.execute("PRAGMA application_id=1")  # makes the page

    def set(self, stands: bool) -> None:
        self._connection.execute(f"PRAGMA user_version={int(stands)}")

    def close(self) -> None:
        self._connection.close()

    @staticmethod
    def stands(outbox: Path) -> bool:
        """Whether the mark of an outbox stands; one that is missing or cannot be read counts as set."""
        place = _mark_of(outbox)
        if not place.exists():
            return True
        try:
            with contextlib.closing(_connect(place)) as connection:
                return bool(connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error:
            return True


def mark_held(path: Path) -> None:
    """Note, as far as that can be, that entries are held although the outbox at `path` cannot be opened."""
    if _mark_of(path).exists():
        with contextlib.suppress(sqlite3.Error):
            mark = _Mark(path)
            mark.set(True)
            mark.close()


def set_aside(path: Path) -> None:
    """Move an outbox that cannot be used out of the way, replacing one moved before. Raises OSError.

    The file itself first: without it SQLite discards a log that stays behind, while a log gone from under a file would look
    like an older outbox without a fault.
    """
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{path}.unusable{suffix}")
    for leftover in (Path(f"{path}-shm"), _mark_of(path)):
        leftover.unlink(missing_ok=True)


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.held")


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite.connect(path)


def _entry(row: tuple[Any, ...]) -> Entry:
    lane, epoch, sequence, kind, at, clock, up, body = row
    stamp = Stamp(at=at, clock=ClockQuality(clock), up=up)
    return Entry(lane=Lane(lane), epoch=epoch, sequence=sequence, type=kind, stamp=stamp, body=body)
