"""The ports to files: `Files` reads, `Disk` changes as well.

Implemented by `host/files.py` and `host/disk.py`, and in memory by `rehearsal/memory_disk.py` and `tests/fakes/disk.py`.
Whoever only reads takes `Files`, so that its signature says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # loaded by every program that does one privileged thing: such programs begin often
    from archipel_contract.facts import DiskSpace


class Files(Protocol):
    """The reading half of the one door to files: nothing here changes anything. All paths are absolute.

    Raises OSError as the system does; callers that show it use `explain.os_error`.
    """

    def read(self, path: Path) -> bytes:
        """Return the content; raise FileNotFoundError if there is none."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether `path` names anything, a dangling link included."""
        ...

    def size(self, path: Path) -> int:
        """Return how many bytes a file holds; raise FileNotFoundError if there is none."""
        ...

    def part(self, path: Path, offset: int, length: int) -> bytes:
        """Return that part of a file, shorter at its end; raise FileNotFoundError if there is none."""
        ...

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return every file and link below `path`, sorted; empty if it is not there."""
        ...

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the sorted names in a directory; empty if it is not there."""
        ...

    def mode(self, path: Path) -> int | None:
        """Return the permission bits of `path`, None if it is not there."""
        ...

    def modified(self, path: Path) -> datetime | None:
        """Return when the content of `path` was last changed by the clock of then, in UTC; None if that is not known."""
        ...

    def sha256(self, path: Path) -> str:
        """Return the hexadecimal SHA-256 of a file of any size."""
        ...

    def is_same(self, path: Path, other: Path) -> bool:
        """Whether both are names of one file on the disk; False if either is not there."""
        ...

    def space(self, path: Path) -> DiskSpace:
        """Return the file system that holds `path` or its nearest existing parent."""
        ...


class Disk(Files, Protocol):
    """The one door to files. Writes are atomic and durable when the call returns."""

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """Replace `path`, all or nothing, parents made with 0755; `wipes`: then overwrite what stood there, if possible."""
        ...

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """Copy a file of any size into place, all or nothing."""
        ...

    def share(self, names: Mapping[Path, Path], mode: int) -> None:
        """Give each file (a value) a second name (its key), each all or nothing, parents made; in one go, for asking costs.

        Copied instead is what cannot have two names there, or what has another mode than `mode`, for one file has one mode.
        What is wrong with one of them, such as FileNotFoundError, leaves those before it in place.
        """
        ...

    def pour(self, path: Path, pieces: Iterable[bytes], mode: int) -> None:
        """Replace `path` by the pieces one after the other, all or nothing; what taking a piece raises leaves nothing.

        For contents that do not fit into memory.
        """
        ...

    def link(self, target: Path, path: Path) -> None:
        """Make `path` a symbolic link to `target`, replacing a link that is there."""
        ...

    def move(self, path: Path, target: Path) -> None:
        """Rename in the same directory, all or nothing; what had that name must be gone before (FileExistsError)."""
        ...

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        """Make `path` and its parents; give it `mode` even if it is there."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file or link; nothing happens if there is none."""
        ...

    def remove_tree(self, path: Path, keep: frozenset[Path] = frozenset()) -> None:
        """Remove a directory with all it holds but `keep`, never following links or crossing into another file system."""
        ...

    def erase(self, path: Path) -> None:
        """Overwrite a file where it lies, then remove it; nothing happens if there is none. For private keys.

        A card that moves what it writes may keep the old bytes all the same, so whoever can also declares the key void.
        """
        ...

    def flush(self, path: Path) -> None:
        """Make durable what others wrote: a file with its name (fsync(2)), or for a directory all on its file system
        (syncfs(2)); nothing if it is not there."""
        ...
