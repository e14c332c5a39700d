"""The reading half of the door to files: what is there, as the system says it; nothing is changed here.

Implements the Files port. `disk.py` adds what changes; whoever reads and writes has one object for both.
"""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent.host.mounts import space_of

if TYPE_CHECKING:
    from archipel_contract.facts import DiskSpace


class SystemFiles:
    """Files of this machine, to be read."""

    def read(self, path: Path) -> bytes:
        """Return the content of `path`."""
        return path.read_bytes()

    def exists(self, path: Path) -> bool:
        """Whether `path` names anything, a dangling link included."""
        return os.path.lexists(path)

    def size(self, path: Path) -> int:
        """Return how many bytes a file holds."""
        return path.stat().st_size

    def part(self, path: Path, offset: int, length: int) -> bytes:
        """Return that part of a file, shorter at its end."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return every file and link below `path`, sorted; empty if it is not there."""
        found = []
        for place, directories, names in os.walk(path):
            links = [name for name in directories if os.path.islink(os.path.join(place, name))]
            found += [Path(place) / name for name in (*names, *links)]
        return tuple(sorted(found))

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the sorted names in a directory; empty if it is not there."""
        try:
            return tuple(sorted(os.listdir(path)))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def mode(self, path: Path) -> int | None:
        """Return the permission bits of `path`, None if it is not there."""
        try:
            return stat.S_IMODE(path.lstat().st_mode)
        except FileNotFoundError:
            return None

    def modified(self, path: Path) -> datetime | None:
        """Return when the content of `path` was last changed by the clock of then, in UTC; None if that is not known."""
        try:
            return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
        except (OSError, OverflowError, ValueError):
            return None

    def sha256(self, path: Path) -> str:
        """Return the hexadecimal SHA-256 of a file of any size."""
        with path.open("rb") as readable:
            return hashlib.file_digest(readable, "sha256").hexdigest()

    def is_same(self, path: Path, other: Path) -> bool:
        """Whether both are names of one file on the disk; False if either is not there."""
        try:
            return path.samefile(other)
        except FileNotFoundError:
            return False

    def space(self, path: Path) -> DiskSpace:
        """Return the file system that holds `path` or its nearest existing parent."""
        return space_of(path)
