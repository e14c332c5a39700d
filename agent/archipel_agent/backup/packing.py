"""Write a backup: members become one compressed tar stream, made as it is asked for, so that memory stays flat.

A file keeps the size it had when its turn came: what was added meanwhile is left out, what is missing is filled with zeros,
as tar does, and the file is named among those that changed.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from archipel_agent.backup.manifest import MANIFEST, SUMS, Manifest, Member
from archipel_agent.host import tree
from archipel_agent.host.tree import Entry
from archipel_contract import wire

BLOCK = tarfile.BLOCKSIZE
LEVEL = 3  # of zlib: half the time of its default, for a twentieth more bytes
KINDS = {tree.FILE: tarfile.REGTYPE, tree.DIRECTORY: tarfile.DIRTYPE, tree.LINK: tarfile.SYMTYPE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One member to write: its entry, `relative` being its name in the stream, and where its bytes are."""

    entry: Entry
    path: Path | None = None
    data: bytes = b""


@dataclass(slots=True)
class Written:
    """What writing found: bytes before compression, files that changed while they were read, files that had gone."""

    size: int = 0
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def stream(manifest: Manifest, pieces: Iterable[Piece], written: Written) -> Iterator[bytes]:
    """Yield the compressed stream; raise OSError when a file cannot be read."""
    squeezed = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)  # | 16: gzip's own frame
    for part in _tar(manifest, pieces, written):
        if out := squeezed.compress(part):
            yield out
    yield squeezed.flush()


def _tar(manifest: Manifest, pieces: Iterable[Piece], written: Written) -> Iterator[bytes]:
    sums: list[str] = []
    first = of_bytes(MANIFEST, wire.to_json(manifest))
    for piece in (first, *pieces):
        yield from _member(piece, sums, written)
    yield from _member(of_bytes(SUMS, "".join(sums).encode(errors="surrogateescape")), [], written)
    yield bytes(2 * BLOCK)


def of_bytes(name: str, data: bytes) -> Piece:
    """Return a member that is a file of root's with `data`."""
    entry = Entry(relative=name, kind=tree.FILE, mode=0o600, uid=0, gid=0, modified=0, size=len(data))
    return Piece(entry=entry, data=data)


def _member(piece: Piece, sums: list[str], written: Written) -> Iterator[bytes]:
    entry = piece.entry
    if entry.kind != tree.FILE:
        yield _head(entry)
        return
    try:
        parts = _read(piece.path, entry.size) if piece.path is not None else iter((piece.data,))
        first = next(parts, b"")
    except FileNotFoundError:
        written.gone.append(entry.relative)
        return
    yield _head(entry)
    digest, size = hashlib.sha256(), 0
    while first:
        digest.update(first)
        size += len(first)
        yield first
        first = next(parts, b"")
    if size < entry.size:
        written.changed.append(entry.relative)
    missing = entry.size - size
    while missing > 0:
        filler = bytes(min(missing, tree.CHUNK))
        digest.update(filler)
        missing -= len(filler)
        yield filler
    yield bytes(-entry.size % BLOCK)
    written.size += entry.size
    sums.append(sum_line(entry.relative, digest.hexdigest()))


def sum_line(name: str, digest: str) -> str:
    """Return a line as sha256sum(1) writes it: a name with a backslash or line end is escaped, and the line says so."""
    if "\\" not in name and "\n" not in name:
        return f"{digest}  {name}\n"
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"\\{digest}  {escaped}\n"


def _read(path: Path, size: int) -> Iterator[bytes]:
    with tree.reading(path) as readable:
        while size > 0 and (part := readable.read(min(size, tree.CHUNK))):
            size -= len(part)
            yield part


def _head(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.relative)
    info.type, info.linkname, info.size = KINDS[entry.kind], entry.target, entry.size
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, entry.modified
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def member(name: str, path: Path) -> Member:
    """Return a file as the manifest lists it; raise OSError."""
    with tree.reading(path) as readable:
        digest = hashlib.sha256()
        while part := readable.read(tree.CHUNK):
            digest.update(part)
        return Member(name=name, size=readable.tell(), sha256=digest.hexdigest())


def member_of(piece: Piece) -> Member:
    """Return a member whose bytes are in memory, as the manifest lists it."""
    digest = hashlib.sha256(piece.data).hexdigest()
    return Member(name=piece.entry.relative, size=len(piece.data), sha256=digest)
