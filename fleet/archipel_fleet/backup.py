"""`fleet backup` and `fleet restore`: one file holds a whole fleet, from either database, into either.

The file: a line that says what it is, then a zlib stream of lines of JSON: a head (format, schema, when), for each table
its columns and its rows, and an end with the number of rows and the SHA-256 of all lines before. It is read to its end
and found whole before anything is replaced. A restored controller has a new incarnation, so that devices offer again what
they still keep; it was not listening from the copy on, and says so. Called by the command line.

The fleet's private keys are in no copy, unless somebody asks for them: then they lie in its head, sealed with a passphrase.
"""

import hashlib
import json
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from archipel_contract.link.envelope import EnvelopeInvalid
from archipel_fleet.host import files
from archipel_fleet.ports import StoreFailed
from archipel_fleet.storage import copying
from archipel_fleet.storage.copying import NotOurs, Row, Table
from archipel_fleet.storage.engines import FILE
from archipel_fleet.storage.store import Entropy
from archipel_fleet.trust import sealing
from archipel_fleet.trust.keyring import DIRECTORY as KEYS
from archipel_fleet.trust.refusal import KeysRefused
from archipel_fleet.trust.sealing import PassphraseRefused

MAGIC = b"archipel fleet backup\n"
FORMAT = 1
CHUNK = 1 << 16
LINE_LIMIT = 16 << 20  # bytes; the longest line is one state, and a message has at most 1 MiB
RESTORING = f"{FILE}.restoring"
ASIDE = f"{FILE}.before-restore"


class BackupFailed(Exception):
    """It could not be done, and nothing was changed; `code` is the finding: fleet-backup-unusable, fleet-already-running,
    fleet-disk-full, fleet-data-unusable, fleet-passphrase-refused, or one of the keys' or the database's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Keyed(StrEnum):
    """What became of the fleet's keys."""

    NONE = "none"  # there are none in the copy
    SEALED = "sealed"  # they are in it; on restoring: they stay in it, for nobody gave the passphrase
    RESTORED = "restored"
    LEFT = "left"  # there were keys here already, and these stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was written or restored."""

    file: Path
    made: int  # milliseconds since 1970 UTC
    revision: str
    incarnation: str  # of the database the copy was made of
    rows: dict[str, int]
    aside: Path | None = None  # where the replaced SQLite database is kept
    keys: Keyed = Keyed.NONE


@dataclass(frozen=True, slots=True)
class Passphrase:
    """What seals the fleet's keys; as text without it, so that it can stand in a trace."""

    value: str = field(repr=False)
    random: Entropy = field(default=secrets.token_bytes, repr=False)


def backup(url: str, directory: Path, target: Path, now: int, passphrase: Passphrase | None = None) -> Copied:
    """Write a copy of the database at `url` (or of SQLite in `directory`) to `target`; a controller may be using it.

    With a passphrase the fleet's private keys are in it, sealed. Raises BackupFailed.
    """
    try:
        extra, keyed = dict[str, Any](), Keyed.NONE
        if passphrase is not None:
            seal = sealing.sealed(directory / KEYS, passphrase.value, passphrase.random)
            extra, keyed = {"keys": seal}, Keyed.SEALED
        with copying.dumping(url, directory) as dump, files.writing_whole(target) as file:
            head = {"format": FORMAT, "schema": dump.revision, "made": now, "incarnation": dump.incarnation}
            rows = _write(file, head | extra, dump.parts)
        return Copied(
            file=target,
            made=now,
            revision=dump.revision,
            incarnation=dump.incarnation,
            rows=rows,
            keys=keyed,
        )
    except PassphraseRefused as error:
        raise BackupFailed("fleet-passphrase-refused", str(error)) from error
    except (StoreFailed, KeysRefused) as error:
        raise BackupFailed(error.code, str(error)) from error
    except OSError as error:
        code = "fleet-disk-full" if error.errno == 28 else "fleet-data-unusable"  # ENOSPC
        raise BackupFailed(code, f"{target}: {error.strerror}") from error


def _write(file: BinaryIO, head: dict[str, Any], parts: Iterator[Table | Row]) -> dict[str, int]:
    packer, digest, rows, name = zlib.compressobj(6), hashlib.sha256(), dict[str, int](), ""
    file.write(MAGIC)

    def put(value: Any) -> None:
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        digest.update(line)
        file.write(packer.compress(line))

    put(head)
    for part in parts:
        if isinstance(part, Table):
            name = part.name
            rows[name] = 0
            put({"table": name, "columns": part.columns})
        else:
            rows[name] += 1
            put(part)
    put({"rows": rows, "sha256": digest.hexdigest()})
    file.write(packer.flush())
    return rows


# --- reading ---------------------------------------------------------------------------------------------------------


def verified(source: Path) -> Copied:
    """Read a copy to its end and return what it holds; raises BackupFailed (fleet-backup-unusable) where it is not whole."""
    try:
        with source.open("rb") as file:
            return _verified(source, file)
    except OSError as error:
        raise _unusable(source, str(error.strerror)) from error


def _unusable(source: Path, why: str) -> BackupFailed:
    return BackupFailed("fleet-backup-unusable", f"{source}: {why}")


def _verified(source: Path, file: BinaryIO) -> Copied:
    digest, rows, name, head, end = hashlib.sha256(), dict[str, int](), "", dict[str, Any](), dict[str, Any]()
    before = b""
    for number, line in enumerate(_lines(source, file), 1):
        if end:
            raise _unusable(source, f"line {number} comes after the end")
        value = _parsed(source, number, line)
        if number == 1:
            head = _head(source, value)
        elif isinstance(value, dict) and "sha256" in value:
            end, before = value, digest.hexdigest().encode()
        elif isinstance(value, dict):
            name = _table(source, number, value).name
            rows[name] = 0
        elif name and isinstance(value, list):
            rows[name] += 1
        else:
            raise _unusable(source, f"line {number} is neither a table nor a row of one")
        digest.update(line)
    if not head:
        raise _unusable(source, "it is empty")
    if not end:
        raise _unusable(source, "it is cut short: its end is missing")
    if end["sha256"] != before.decode() or end.get("rows") != rows:
        raise _unusable(source, "its checksum does not match what it holds")
    return Copied(
        file=source,
        made=head["made"],
        revision=head["schema"],
        incarnation=head["incarnation"],
        rows=rows,
        keys=Keyed.SEALED if head.get("keys") else Keyed.NONE,
    )


def _lines(source: Path, file: BinaryIO) -> Iterator[bytes]:
    if file.read(len(MAGIC)) != MAGIC:
        raise _unusable(source, "it does not begin like a copy of a fleet")
    unpacker = zlib.decompressobj()
    begun: list[bytes] = []  # of the line that is not at its end yet
    try:
        while not unpacker.eof:
            chunk = unpacker.unconsumed_tail or file.read(CHUNK)
            if not chunk:
                raise _unusable(source, "it is cut short")
            first, *others = unpacker.decompress(chunk, CHUNK).split(b"\n")
            begun.append(first)
            for other in others:
                yield b"".join(begun) + b"\n"
                begun = [other]
            if len(begun) * CHUNK > LINE_LIMIT:
                raise _unusable(source, "it holds a line longer than any of ours")
    except zlib.error as error:
        raise _unusable(source, f"it is damaged at byte {file.tell()}: {error}") from error
    if any(begun) or unpacker.unused_data or file.read(1):
        raise _unusable(source, "there is something behind its end")


def _parsed(source: Path, number: int, line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _unusable(source, f"line {number} is not JSON: {error}") from error


def _head(source: Path, value: Any) -> dict[str, Any]:
    wanted = {"format": int, "schema": str, "made": int, "incarnation": str}
    if not isinstance(value, dict) or not all(
        isinstance(value.get(key), kind) for key, kind in wanted.items()
    ):
        raise _unusable(source, "its head does not say what it is")
    if value["format"] != FORMAT:
        raise _unusable(source, f"it has format {value['format']}, this program knows {FORMAT}")
    return value


def _table(source: Path, number: int, value: dict[str, Any]) -> Table:
    name, columns = value.get("table"), value.get("columns")
    if not isinstance(name, str) or not isinstance(columns, list):
        raise _unusable(source, f"line {number} does not name a table and its columns")
    return Table(name, tuple(str(column) for column in columns))


def _parts(source: Path) -> Iterator[Table | Row]:
    """Return tables and rows of a copy that was verified."""
    with source.open("rb") as file:
        for number, line in enumerate(_lines(source, file), 1):
            value = _parsed(source, number, line)
            if isinstance(value, list):
                yield value
            elif "table" in value:
                yield _table(source, number, value)


# --- restoring -------------------------------------------------------------------------------------------------------


def restore(
    source: Path, url: str, directory: Path, entropy: Entropy, passphrase: Passphrase | None = None
) -> Copied:
    """Put a copy in the place of the database at `url` (or of SQLite in `directory`); the controller must not run.

    Nothing is replaced before the copy was found whole and a database was made of it. SQLite's former file is kept aside.
    With a passphrase the fleet's keys are restored too, where there are none; keys that are here stay. Raises BackupFailed.
    """
    found = verified(source)
    held = _held(source, passphrase) if passphrase and found.keys is Keyed.SEALED else None
    try:
        files.make_private(directory)
        lock = files.DirectoryLock(directory)
    except files.Locked as error:
        raise BackupFailed("fleet-already-running", str(error)) from error
    except OSError as error:
        raise BackupFailed("fleet-data-unusable", f"{directory}: {error.strerror}") from error
    try:
        files.remove(directory / RESTORING)
        copying.load(url, (directory, RESTORING), found.revision, _parts(source), entropy)
        keyed = found.keys
        if held is not None:
            keyed = Keyed.RESTORED if sealing.put(held, directory / KEYS) else Keyed.LEFT
        aside = None if url else _put_in_place(directory)
    except (KeysRefused, EnvelopeInvalid) as error:
        raise _unusable(source, f"its keys: {error}") from error
    except StoreFailed as error:
        code = error.code
        if code == "fleet-database-newer" and found.revision in str(error):
            code = "fleet-backup-unusable"
        raise BackupFailed(code, f"{source}: {error}") from error
    except (NotOurs, KeyError, TypeError, ValueError) as error:
        raise _unusable(source, str(error)) from error
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            files.remove(directory / (RESTORING + end))
        lock.release()
    return Copied(
        file=source,
        made=found.made,
        revision=found.revision,
        incarnation=found.incarnation,
        rows=found.rows,
        aside=aside,
        keys=keyed,
    )


def _held(source: Path, passphrase: Passphrase) -> dict[str, bytes]:
    """Return the keys in a copy that was verified."""
    with source.open("rb") as file:
        head = _parsed(source, 1, next(_lines(source, file)))
    try:
        return sealing.unsealed(head["keys"], passphrase.value)
    except PassphraseRefused as error:
        raise BackupFailed("fleet-passphrase-refused", str(error)) from error
    except ValueError as error:
        raise _unusable(source, str(error)) from error


def _put_in_place(directory: Path) -> Path | None:
    """Give the new SQLite file its name, and the former one another; a cut at any moment leaves one of them there."""
    former, aside = directory / FILE, None
    if former.exists():
        folded = copying.fold(directory)
        aside = directory / ASIDE
        for end in ("-wal", "-shm"):
            files.remove(directory / (ASIDE + end))
            if folded:
                files.remove(directory / (FILE + end))
            else:  # it cannot be opened, so its log stays beside it for whoever wants to look
                files.rename(directory / (FILE + end), directory / (ASIDE + end))
        files.keep_as(former, aside)
    files.rename(directory / RESTORING, former)
    return aside
