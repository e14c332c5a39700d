"""A disk in memory for rehearsed machines of which there are many: a thousand of them do not write a thousand k3s programs.

Implements the Disk port. Equal contents given as the same object are kept once. Databases are no part of it: they are real
files below the node's root. It never fails and never tears anything; `tests/fakes/disk.py` does that.
"""

import errno
import functools
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archipel_agent.rehearsal.disk import CARD, KERNEL_COMMAND_LINE, card
from archipel_agent.rehearsal.state import MachineState
from archipel_contract.facts import DiskSpace

MODE_DIRECTORY, MODE_LINK = 0o755, 0o777


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a link (`target` is not empty) or a directory (`data` is None)."""

    mode: int
    data: bytes | None = None
    target: str = ""

    @property
    def is_directory(self) -> bool:
        """Whether it can hold others."""
        return self.data is None and not self.target


class MemoryFiles:
    """The reading half of a disk in memory."""

    def __init__(self) -> None:
        """An empty disk; until `describe` is called its card is a default one."""
        self._entries: dict[str, Entry] = {}
        self._state: MachineState | None = None

    def describe(self, state: MachineState) -> None:
        """Answer for the kernel's command line and the card from `state` from now on."""
        self._state = state

    def read(self, path: Path) -> bytes:
        """See ports.Files."""
        if path == KERNEL_COMMAND_LINE and self._state is not None:
            return self._state.kernel_command_line.encode()
        entry = self._followed(path)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if entry.data is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return entry.data

    def exists(self, path: Path) -> bool:
        """See ports.Files."""
        return str(path) in self._entries

    def size(self, path: Path) -> int:
        """See ports.Files."""
        return len(self.read(path))

    def part(self, path: Path, offset: int, length: int) -> bytes:
        """See ports.Files."""
        return self.read(path)[offset : offset + length]

    def files(self, path: Path) -> tuple[Path, ...]:
        """See ports.Files."""
        found = (name for name in _below(self._entries, path) if not self._entries[name].is_directory)
        return tuple(Path(name) for name in sorted(found))

    def names(self, path: Path) -> tuple[str, ...]:
        """See ports.Files."""
        inside = (name[len(str(path).rstrip("/")) + 1 :] for name in _below(self._entries, path))
        return tuple(sorted(name for name in inside if name and "/" not in name))

    def mode(self, path: Path) -> int | None:
        """See ports.Files."""
        entry = self._entries.get(str(path))
        return None if entry is None else entry.mode

    def modified(self, path: Path) -> datetime | None:
        """See ports.Files: memory keeps no dates."""
        return None

    def sha256(self, path: Path) -> str:
        """See ports.Files."""
        return _digest(self.read(path))

    def is_same(self, path: Path, other: Path) -> bool:
        """See ports.Files."""
        entry = self._followed(path)
        return entry is not None and entry is self._followed(other)

    def space(self, path: Path) -> DiskSpace:
        """See ports.Files."""
        return CARD if self._state is None else card(self._state)

    def _followed(self, path: Path) -> Entry | None:
        entry = self._entries.get(str(path))
        while entry is not None and entry.target:
            path = Path(os.path.normpath(path.parent / entry.target))
            entry = self._entries.get(str(path))
        return entry


class MemoryDisk(MemoryFiles):
    """One machine's files."""

    def lose_power(self, runtime: Path) -> None:
        """Forget what does not outlive a boot."""
        self.remove_tree(runtime)

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """See ports.Disk: nothing is left of what stood there, asked for or not."""
        self._put(path, Entry(mode, data))

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """See ports.Disk."""
        self.write(target, self.read(source), mode)

    def share(self, names: Mapping[Path, Path], mode: int) -> None:
        """See ports.Disk: one entry under both names."""
        for path, file in names.items():
            data, entry = self.read(file), self._followed(file)
            self._put(path, entry if entry is not None and entry.mode == mode else Entry(mode, data))

    def pour(self, path: Path, pieces: Iterable[bytes], mode: int) -> None:
        """See ports.Disk."""
        self.write(path, b"".join(pieces), mode)

    def link(self, target: Path, path: Path) -> None:
        """See ports.Disk."""
        self._put(path, Entry(MODE_LINK, target=str(target)))

    def move(self, path: Path, target: Path) -> None:
        """See ports.Disk."""
        if str(target) in self._entries:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        if str(path) not in self._entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        for name in [str(path), *_below(self._entries, path)]:
            self._entries[str(target) + name[len(str(path)) :]] = self._entries.pop(name)

    def make_directory(self, path: Path, mode: int | None = None) -> None:
        """See ports.Disk; without a mode a directory that is there keeps its own."""
        for place in (*path.parents, path):
            if not self._entries.setdefault(str(place), Entry(MODE_DIRECTORY)).is_directory:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
        if mode is not None:
            self._entries[str(path)] = Entry(mode)

    def remove(self, path: Path) -> None:
        """See ports.Disk."""
        self._refuse_directory(path)
        self._entries.pop(str(path), None)

    erase = remove  # what is removed from memory is gone

    def flush(self, path: Path) -> None:
        """See ports.Disk: what is in memory is as durable as it gets."""

    def remove_tree(self, path: Path, keep: frozenset[Path] = frozenset()) -> None:
        """See ports.Disk."""
        stay = {str(place) for one in keep for place in (one, *one.parents)}
        for name in [str(path), *_below(self._entries, path)]:
            if name not in stay:
                self._entries.pop(name, None)

    def _put(self, path: Path, entry: Entry) -> None:
        self.make_directory(path.parent)
        self._refuse_directory(path)
        self._entries[str(path)] = entry

    def _refuse_directory(self, path: Path) -> None:
        entry = self._entries.get(str(path))
        if entry is not None and entry.is_directory:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _below(entries: dict[str, Entry], path: Path) -> list[str]:
    start = f"{str(path).rstrip('/')}/"
    return [name for name in entries if name.startswith(start)]


@functools.lru_cache(maxsize=32)
def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
