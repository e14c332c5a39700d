"""Brings the contents of a verified bundle onto this machine, each read once, hashed on the way, and named when verified.

What is here already with the right digest is not read again, wherever it came from: an earlier bundle, an earlier try,
or the files the site was made from. Memory stays flat: two pieces are in it at a time.
"""

import contextlib
import hashlib
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.bundles.opening import Found, unreadable
from archipel_agent.bundles.store import PRIVATE, BundleStore, is_no_room
from archipel_agent.ports import Files
from archipel_contract.bundle.format import BundleFile, BundleRefused, Install
from archipel_contract.bundle.reading import Span

PIECE = 1 << 20  # bytes read at once
RESERVE = 64 << 20  # bytes that stay free, for the state and for k3s
MEGABYTE = 1_000_000
PROGRAM = 0o700  # a k3s is asked for its version before it is installed

Told = Callable[[int, int], None]  # (bytes so far, bytes in all); may raise to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import did."""

    read_bytes: int
    kept_bytes: int  # of contents that were here already


def bring(
    store: BundleStore,
    found: Found,
    elsewhere: Callable[[BundleFile], Path | None],
    more_room: int,
    told: Told,
) -> Brought:
    """Have all contents here and verified; raise BundleRefused, or what `told` raises.

    `elsewhere` names a file of this machine that may hold a content. `more_room`: bytes that will be needed besides.
    """
    wanted = {one.sha256: one for one in found.manifest.files}
    lacking = [one for one in wanted.values() if not _is_here(store, one)]
    for one in lacking:
        if one.sha256 not in found.opened.blobs and elsewhere(one) is None:
            raise _incomplete(found, store, lacking, elsewhere)
    total = sum(one.size for one in lacking)
    _require_room(store, total + more_room)
    done = 0
    for one in lacking:
        source, span = _source(found, one, elsewhere)
        path = store.blob(one.sha256)
        pieces = verified(store.disk, source, span, one)
        try:
            with contextlib.closing(_counted(pieces, done, total, told)) as counted:
                store.disk.pour(path, counted, PROGRAM if one.install is Install.K3S else PRIVATE)
        except OSError as error:
            if is_no_room(error):
                raise _no_room(store, one.size) from error
            raise
        done += one.size
    told(done, total)
    return Brought(read_bytes=done, kept_bytes=sum(one.size for one in wanted.values()) - done)


def verified(disk: Files, path: Path, span: Span, one: BundleFile) -> Generator[bytes]:
    """Yield a content piece by piece and raise BundleRefused at its end unless its digest is right.

    Hashing goes on in a thread while whoever takes the pieces writes them; close the iterator to end it early.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as pool:
        hashing: Future[None] | None = None
        for offset in range(0, span.size, PIECE):
            length = min(PIECE, span.size - offset)
            piece = _read(disk, path, span.offset + offset, length)
            if hashing is not None:
                hashing.result()
            hashing = pool.submit(digest.update, piece)
            yield piece
        if hashing is not None:
            hashing.result()
    if digest.hexdigest() != one.sha256:
        detail = f"{one.name} is not what was signed: its SHA-256 begins with {digest.hexdigest()[:12]}"
        raise BundleRefused("bundle-damaged", detail, path=str(path), file=one.name)


def _read(disk: Files, path: Path, offset: int, length: int) -> bytes:
    try:
        piece = disk.part(path, offset, length)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(piece) != length:
        raise BundleRefused("bundle-truncated", f"it ends after {offset + len(piece)} bytes", path=str(path))
    return piece


def _counted(pieces: Generator[bytes], before: int, total: int, told: Told) -> Generator[bytes]:
    done = before
    with contextlib.closing(pieces):
        for piece in pieces:
            told(done, total)
            yield piece
            done += len(piece)


def _is_here(store: BundleStore, one: BundleFile) -> bool:
    return store.has(one) and store.disk.sha256(store.blob(one.sha256)) == one.sha256


def _source(
    found: Found, one: BundleFile, elsewhere: Callable[[BundleFile], Path | None]
) -> tuple[Path, Span]:
    span = found.opened.blobs.get(one.sha256)
    if span is not None:
        return found.path, span
    other = elsewhere(one)
    assert other is not None  # asked before the first byte was written
    return other, Span(0, one.size)


def _incomplete(
    found: Found,
    store: BundleStore,
    lacking: list[BundleFile],
    elsewhere: Callable[[BundleFile], Path | None],
) -> BundleRefused:
    missing = [one.name for one in lacking if one.sha256 not in found.opened.blobs and elsewhere(one) is None]
    held = ", ".join(one.id for one in store.held()) or "none"
    detail = f"it builds on {found.manifest.since or 'another'}; held here: {held}; missing: {', '.join(missing[:8])}"
    return BundleRefused(
        "bundle-incomplete",
        detail,
        path=str(found.path),
        since=found.manifest.since or "?",
        count=str(len(missing)),
    )


def _require_room(store: BundleStore, needed: int) -> None:
    free = store.disk.space(store.place).free_bytes
    if needed and free < needed + RESERVE:
        raise _no_room(store, needed)


def _no_room(store: BundleStore, needed: int) -> BundleRefused:
    free = store.disk.space(store.place).free_bytes
    detail = f"{needed + RESERVE} bytes are needed, {free} are free"
    return BundleRefused("bundle-no-room", detail, needed=megabytes(needed + RESERVE), free=megabytes(free))


def megabytes(count: int) -> str:
    """Return bytes for people."""
    return f"{-(-count // MEGABYTE)} MB"
