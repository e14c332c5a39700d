"""The door to whole trees of files: reading them with owners and modes, laying them out again, moving them.

For backups, whose volumes hold anything a pod may write. Nothing is followed out of its place: links are read and made as
links, and a file is only laid below directories that are real ones. Memory stays flat whatever the size of a file.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 16
FILE, DIRECTORY, LINK = "file", "directory", "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a tree. `relative` is its path below the tree, `size` the bytes of a file, `target` that of a link."""

    relative: str
    kind: str
    mode: int
    uid: int
    gid: int
    modified: int  # seconds since 1970
    size: int = 0
    target: str = ""


class Entries:
    """What stands below a directory, parents first; `left_out` fills with what is neither file, directory nor link."""

    def __init__(self, root: Path) -> None:
        """Look below `root`, which is itself the first entry, with an empty name, if it is there."""
        self._root = root
        self.left_out: list[str] = []

    def __iter__(self) -> Iterator[Entry]:
        yield from self._below(self._root, "")

    def _below(self, path: Path, relative: str) -> Iterator[Entry]:
        try:
            seen = path.lstat()
        except FileNotFoundError:
            return  # gone since its directory was read
        entry = _entry(path, relative, seen)
        if entry is None:
            self.left_out.append(str(path))
            return
        yield entry
        if entry.kind != DIRECTORY:
            return
        if seen.st_dev != self._root.stat().st_dev:
            self.left_out.append(f"{path} (another file system)")
            return
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(path)):
                yield from self._below(path / name, f"{relative}/{name}" if relative else name)


def _entry(path: Path, relative: str, seen: os.stat_result) -> Entry | None:
    kind = FILE if stat.S_ISREG(seen.st_mode) else DIRECTORY if stat.S_ISDIR(seen.st_mode) else ""
    target = ""
    if stat.S_ISLNK(seen.st_mode):
        kind, target = LINK, os.readlink(path)
    if not kind:
        return None
    return Entry(
        relative=relative,
        kind=kind,
        mode=stat.S_IMODE(seen.st_mode),
        uid=seen.st_uid,
        gid=seen.st_gid,
        modified=max(int(seen.st_mtime), 0),
        size=seen.st_size if kind == FILE else 0,
        target=target,
    )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Give a file to read from, never through a link; raise OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb", buffering=CHUNK) as readable:
        yield readable


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Give a new file to write to, readable by root alone and durable after the block; missing directories are made.

    A file that stands there is begun anew: who may be cut off writes under another name and moves.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=CHUNK) as writable:
        yield writable
        writable.flush()
        os.fsync(writable.fileno())


class Layer:
    """Lays entries out below `root`, a directory that is our own; raises OSError, and ValueError for an entry that would
    leave it."""

    def __init__(self, root: Path) -> None:
        """Make `root`, for root alone to enter."""
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o700)

    def open(self, relative: str) -> BinaryIO:
        """Return a new file to write the content of an entry to."""
        path = self._place(relative)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=CHUNK)

    def lay(self, entry: Entry) -> None:
        """Make a directory or link, or give a file that was written its owner, mode and time."""
        path = self._place(entry.relative)
        if entry.kind == DIRECTORY:
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
            if path.is_symlink() or not path.is_dir():
                raise ValueError(f"{entry.relative} stands there already and is no directory")
        elif entry.kind == LINK:
            path.symlink_to(entry.target)
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if entry.kind != LINK:
            path.chmod(entry.mode & 0o1777 if entry.kind == FILE else entry.mode & 0o3777)
            os.utime(path, (entry.modified, entry.modified))

    def _place(self, relative: str) -> Path:
        """Return where an entry goes; every directory above it is made if it is not there, and must be a real one."""
        parts = relative.split("/")
        if relative.startswith("/") or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{relative!r} is no name below a directory")
        at = self._root
        for part in parts[:-1]:
            at = at / part
            with contextlib.suppress(FileExistsError):
                at.mkdir(mode=0o755)
            if not stat.S_ISDIR(at.lstat().st_mode):
                raise ValueError(f"{relative!r} lies behind something that is no directory")
        return at / parts[-1]


def forget(path: Path) -> None:
    """Remove a file that was only needed for a moment."""
    path.unlink(missing_ok=True)


def size(path: Path) -> int:
    """Return the bytes of a file; raise OSError."""
    return path.lstat().st_size


def part(path: Path, begin: int, length: int) -> bytes:
    """Return up to `length` bytes of a file, from `begin` on, never through a link; raise OSError."""
    with reading(path) as readable:
        readable.seek(begin)
        return readable.read(length)


def hollow(path: Path, size: int) -> None:
    """Make a file for root alone whose first `size` bytes are a hole, which takes no room on the disk; raise OSError."""
    with writing(path) as writable:
        writable.truncate(size)


def filled(path: Path, begin: int) -> int:
    """Return where the bytes from `begin` on end, or have a hole (lseek(2), SEEK_HOLE); raise OSError."""
    with reading(path) as readable:
        if begin >= size(path):
            return begin
        return os.lseek(readable.fileno(), begin, os.SEEK_HOLE)


def cut(path: Path, length: int) -> None:
    """Let a file end after `length` bytes; raise OSError."""
    os.truncate(path, length)


def move(source: Path, target: Path) -> None:
    """Bring `source` to `target` on the same file system; two directories become one, any other thing is replaced.

    Cut off anywhere and called again it goes on; what is not at `source` any more has arrived. Durable once it returns.
    """
    if not os.path.lexists(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    _merge(source, target)
    _sync(target.parent)
    _sync(source.parent)


def _merge(source: Path, target: Path) -> None:
    is_directory = stat.S_ISDIR(source.lstat().st_mode)
    if not os.path.lexists(target) or not is_directory:
        source.replace(target)
        return
    if not stat.S_ISDIR(target.lstat().st_mode):
        target.unlink()
        source.replace(target)
        return
    for name in sorted(os.listdir(source)):
        _merge(source / name, target / name)
    _sync(target)
    seen = source.stat()
    os.chown(target, seen.st_uid, seen.st_gid)
    target.chmod(stat.S_IMODE(seen.st_mode))
    source.rmdir()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
