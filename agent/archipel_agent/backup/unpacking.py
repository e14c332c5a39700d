"""Read a backup: opened, decompressed and taken apart as it comes in, so that memory stays flat.

Nothing counts before the end was seen: `finish` holds every file to the sums at the end and to the manifest at the
beginning. Who lays files out on the way therefore lays them aside first.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from archipel_agent.backup.manifest import (
    FORMAT,
    MANIFEST,
    MANIFEST_BYTES,
    SUMS,
    BackupUnusable,
    Manifest,
)
from archipel_agent.backup.packing import sum_line
from archipel_agent.host import tree
from archipel_agent.host.tree import Entry
from archipel_contract import wire
from archipel_contract.trust import sealing

BLOCK = tarfile.BLOCKSIZE
PART = 1 << 16
PAX_BYTES = 1 << 20  # names, owners and times of one member; a path has 4096 bytes at most
KINDS = {
    tarfile.REGTYPE: tree.FILE,
    tarfile.AREGTYPE: tree.FILE,
    tarfile.DIRTYPE: tree.DIRECTORY,
    tarfile.SYMTYPE: tree.LINK,
}


class Taker(Protocol):
    """Is handed every member but the manifest and the sums."""

    def manifest(self, manifest: Manifest) -> None:
        """Take the manifest, which comes first; raise BackupUnusable to go no further."""
        ...

    def begin(self, entry: Entry) -> None:
        """A member begins; a file's bytes follow."""
        ...

    def part(self, data: bytes) -> None:
        """Take some bytes of a file."""
        ...

    def end(self, entry: Entry) -> None:
        """The member is complete."""
        ...


class Looker:
    """A Taker that lays nothing out: for `verify`."""

    def __init__(self) -> None:
        self.seen: Manifest | None = None
        self.files = 0
        self.size = 0

    def manifest(self, manifest: Manifest) -> None:
        """See Taker."""
        self.seen = manifest

    def begin(self, entry: Entry) -> None:
        """See Taker."""
        self.files += entry.kind == tree.FILE
        self.size += entry.size

    def part(self, data: bytes) -> None:
        """See Taker."""

    def end(self, entry: Entry) -> None:
        """See Taker."""


class _Enough(Exception):
    """The manifest is there; nothing else is wanted."""


class _Glance(Looker):
    """A Taker that wants to see the manifest alone."""

    def manifest(self, manifest: Manifest) -> None:
        """See Taker."""
        super().manifest(manifest)
        raise _Enough


def glance(sealed: BinaryIO, secrets: Iterable[str]) -> Manifest:
    """Return the manifest at the beginning of a sealed backup, and read no further: whether the rest is whole stays open.

    Raises as `read` does.
    """
    looker = _Glance()
    try:
        return read(sealed, secrets, looker)
    except _Enough:
        assert looker.seen is not None  # it is what was enough
        return looker.seen


def read(sealed: BinaryIO, secrets: Iterable[str], taker: Taker) -> Manifest:
    """Hand every member of a sealed backup to `taker` and return the manifest once all of it has been checked.

    Raises BackupUnusable (also what `taker` raises), and OSError for what the disk does.
    """
    opened = _Opened(taker)
    try:
        sealing.open_sealed(sealed, opened, secrets)
    except sealing.NotForThisKey as error:
        raise BackupUnusable("backup-wrong-key", "it was sealed for other keys") from error
    except sealing.RecoveryKeyInvalid as error:
        raise BackupUnusable("backup-wrong-key", f"the key file cannot be used: {error}") from error
    except (sealing.SealBroken, zlib.error) as error:
        raise BackupUnusable("backup-damaged", str(error)) from error
    return opened.finish()


@dataclass(slots=True)
class _Current:
    """The member under way."""

    entry: Entry
    left: int
    padding: int


class _Opened:
    """Takes the stream as it is opened: gzip outside, tar inside."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._squeezed = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._rest = bytearray()
        self._current: _Current | None = None
        self._digest = hashlib.sha256()
        self._pax: dict[str, str] = {}
        self._is_pax = False
        self._own = bytearray()  # the bytes of a member that is for us: manifest, sums, extended header
        self._manifest: Manifest | None = None
        self._sums: list[str] = []
        self._digests: dict[str, str] = {}
        self._said: bytes | None = None
        self._is_over = False

    def write(self, data: bytes) -> int:
        """See sealing.Sink."""
        if self._squeezed.eof and data:
            raise BackupUnusable("backup-damaged", "something follows its end")
        given, part = bytes(data), b""
        while given or len(part) == PART:  # a full part: more may be waiting behind it
            part = self._squeezed.decompress(given, PART)
            given = self._squeezed.unconsumed_tail
            self._feed(part)
        if self._squeezed.unused_data:
            raise BackupUnusable("backup-damaged", "something follows its end")
        return len(data)

    def flush(self) -> None:
        """See sealing.Sink."""

    def _feed(self, data: bytes) -> None:
        self._rest += data
        while self._step():
            pass

    def _step(self) -> bool:
        """Take one thing out of what has come; False when more must come first."""
        current = self._current
        if current is None:
            if len(self._rest) < BLOCK or self._is_over:
                return False
            head = bytes(self._rest[:BLOCK])
            del self._rest[:BLOCK]
            self._head(head)
            return True
        if current.left:
            part = bytes(self._rest[: current.left])
            del self._rest[: len(part)]
            current.left -= len(part)
            self._content(part)
            if current.left or not part:
                return bool(part)
        if len(self._rest) < current.padding:
            return False
        del self._rest[: current.padding]
        self._current = None
        self._end(current.entry)
        return True

    def _head(self, head: bytes) -> None:
        if not any(head):
            self._is_over = True
            return
        try:
            info = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise BackupUnusable("backup-damaged", f"a member's head: {error}") from error
        self._is_pax = info.type == tarfile.XHDTYPE
        entry = self._entry(info)
        is_first = self._manifest is None and not self._is_pax
        limit = PAX_BYTES if self._is_pax else MANIFEST_BYTES
        if (is_first and entry.relative != MANIFEST) or ((is_first or self._is_pax) and entry.size > limit):
            raise BackupUnusable("backup-format", "it does not begin with a manifest")
        if self._said is not None:
            raise BackupUnusable("backup-damaged", "something follows the sums")
        self._current = _Current(entry, entry.size, -entry.size % BLOCK)
        self._digest = hashlib.sha256()
        if not self._is_ours(entry):
            self._taker.begin(entry)

    def _is_ours(self, entry: Entry) -> bool:
        return self._is_pax or entry.relative in (MANIFEST, SUMS)

    def _entry(self, info: tarfile.TarInfo) -> Entry:
        if self._is_pax:
            return _plain("", info.size)
        kind = KINDS.get(info.type)
        if kind is None:
            raise BackupUnusable("backup-format", f"{info.name!r} is of a kind that no backup holds")
        said, self._pax = self._pax, {}
        try:
            return Entry(
                relative=said.get("path", info.name),
                kind=kind,
                mode=info.mode,
                uid=int(said.get("uid", info.uid)),
                gid=int(said.get("gid", info.gid)),
                modified=int(float(said.get("mtime", info.mtime))),
                size=int(said.get("size", info.size)),
                target=said.get("linkpath", info.linkname),
            )
        except (ValueError, OverflowError) as error:
            raise BackupUnusable("backup-damaged", f"a member's head: {error}") from error

    def _content(self, part: bytes) -> None:
        assert self._current is not None  # there is content
        self._digest.update(part)
        if self._is_ours(self._current.entry):
            self._own += part
        else:
            self._taker.part(part)

    def _end(self, entry: Entry) -> None:
        own, self._own = bytes(self._own), bytearray()
        if self._is_pax:
            self._pax = _records(own)
            return
        if entry.relative == SUMS:
            self._said = own
            return
        if entry.relative == MANIFEST:
            self._manifest = _manifest(own)
            self._taker.manifest(self._manifest)
        else:
            self._taker.end(entry)
        if entry.kind == tree.FILE:
            digest = self._digest.hexdigest()
            if entry.relative in self._digests:
                raise BackupUnusable("backup-damaged", f"{entry.relative} is in it twice")
            self._digests[entry.relative] = digest
            self._sums.append(sum_line(entry.relative, digest))

    def finish(self) -> Manifest:
        """Return the manifest once everything is there as it was written; raise BackupUnusable."""
        if self._manifest is None or self._said is None or not self._squeezed.eof:
            raise BackupUnusable("backup-damaged", "it ends in the middle")
        if self._said != "".join(self._sums).encode(errors="surrogateescape"):
            raise BackupUnusable("backup-damaged", "its files are not those its sums name")
        for member in self._manifest.members:
            if self._digests.get(member.name) != member.sha256:
                raise BackupUnusable("backup-damaged", f"{member.name} is not as its manifest says")
        return self._manifest


def _plain(name: str, size: int) -> Entry:
    return Entry(relative=name, kind=tree.FILE, mode=0o600, uid=0, gid=0, modified=0, size=size)


def _manifest(data: bytes) -> Manifest:
    try:
        made = wire.from_json(Manifest, data)
    except wire.WireError as error:
        raise BackupUnusable("backup-format", f"its manifest: {error}") from error
    if made.format > FORMAT:
        raise BackupUnusable(
            "backup-format", f"it has format {made.format}, and this Archipel reads up to {FORMAT}"
        )
    return made


def _records(data: bytes) -> dict[str, str]:
    """Return the records of an extended header: "LENGTH KEY=VALUE\\n" each (POSIX pax); raise BackupUnusable."""
    found: dict[str, str] = {}
    while data:
        length, blank, _ = data.partition(b" ")
        if not blank or not length.isdigit() or not len(length) + 1 < int(length) <= len(data):
            raise BackupUnusable("backup-damaged", "an extended header")
        key, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        found[key.decode(errors="replace")] = value.decode(errors="surrogateescape")
        data = data[int(length) :]
    return found
