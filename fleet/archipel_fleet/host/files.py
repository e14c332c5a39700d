"""The controller's one door to its data directory: private files, written whole, and the lock that keeps a second one out.

Databases and the embedded broker write their own files below it.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LOCK = "controller.lock"


class Locked(Exception):
    """Another controller works with this directory; `pid` is what its lock says, 0 if unknown."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"locked by process {pid}" if pid else "locked by another process")
        self.pid = pid


def make_private(directory: Path) -> None:
    """Make a directory that only we may enter, and those above it; what is there keeps its mode. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 whole or not at all; raises OSError."""
    temporary = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file of mode 0600 that takes the place of `path` when it is written to its end; otherwise nothing is left of
    it. Raises OSError."""
    temporary = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        flush_directory(path.parent)
    except BaseException:
        remove(temporary)
        raise


@contextmanager
def unnamed(content: bytes) -> Iterator[Path]:
    """Yield a path to these bytes that only this process can open, and only now: they are in memory, on no disk
    (memfd_create(2)). For libraries that take keys from files only."""
    opened = os.memfd_create("unnamed", os.MFD_CLOEXEC)
    try:
        os.write(opened, content)
        yield Path(f"/proc/self/fd/{opened}")
    finally:
        os.close(opened)


def flush_directory(directory: Path) -> None:
    """Have the names in a directory survive a power cut."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def keep_as(path: Path, to: Path) -> None:
    """Give a file a second name in its directory, in place of whatever has it; raises OSError.

    Where the file system has no second names the first one is gone.
    """
    remove(to)
    try:
        os.link(path, to)
    except OSError:
        path.replace(to)
    flush_directory(to.parent)


def rename(path: Path, to: Path) -> bool:
    """Give a file another name in its directory; False if there is none. Raises OSError."""
    try:
        path.replace(to)
    except FileNotFoundError:
        return False
    flush_directory(to.parent)
    return True


def remove(path: Path) -> None:
    """Remove a file; nothing happens if there is none."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def remove_directory(directory: Path) -> None:
    """Remove a directory of plain files; nothing happens if there is none. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(directory.iterdir()):
            remove(path)
        directory.rmdir()


def own_like(path: Path, pattern: Path) -> None:
    """Give a file or directory to whoever `pattern` belongs to, where root works for a controller that is not root.

    Raises OSError.
    """
    if os.geteuid() == 0:
        wanted = pattern.stat()
        os.chown(path, wanted.st_uid, wanted.st_gid)


def close_to_others(path: Path) -> bool:
    """Take from everybody else what they may do with a file or directory; True if there was something. Raises OSError."""
    mode = path.stat().st_mode
    if mode & 0o077:
        path.chmod(mode & 0o700)
    return bool(mode & 0o077)


class DirectoryLock:
    """Held from the start to `release`; the kernel releases it whatever ends us."""

    def __init__(self, directory: Path) -> None:
        """Take the lock; raises Locked, or OSError where the directory cannot be used."""
        self._file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise Locked(int(said) if said.isdigit() else 0) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another controller have the directory."""
        os.close(self._file)
