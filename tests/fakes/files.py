"""Files in memory, as the disk of a test shows them: what is there, read without being changed.

Used by `disk.py`, which adds the changing half with everything that can go wrong.
"""

import errno
import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archipel_contract.facts import DiskSpace
from tests.fakes.power import Power

TEMPORARY = ".archipel-"


@dataclass(frozen=True, slots=True)
class Node:
    """A file, a directory (`data` is None) or a link (`target` is not None)."""

    mode: int
    data: bytes | None = None
    target: str | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it can hold others."""
        return self.data is None and self.target is None


@functools.lru_cache(maxsize=64)
def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Files:
    """The reading half of a disk, and what a test may do to it behind everybody's back."""

    def __init__(self, power: Power | None = None) -> None:
        self.power = power or Power()
        self.refuses: int | None = None  # an errno every change meets: ENOSPC, EROFS
        self.full_at: int | None = (
            None  # how many bytes of one file fit, though the file system said there was room
        )
        self.pulled_after: tuple[Path, int] | None = (
            None  # of a stick's file: how many bytes can still be read
        )
        self.digested: list[Path] = []  # what was read whole for its digest
        self.free_bytes: Callable[[], int] = lambda: 20 << 30
        self._nodes: dict[str, Node] = {"/": Node(0o755)}

    def read(self, path: Path) -> bytes:
        """See ports.Files."""
        self.power.check()
        node = self._nodes.get(self._followed(path))
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if node.data is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return node.data

    def size(self, path: Path) -> int:
        """See ports.Files."""
        return len(self.read(path))

    def part(self, path: Path, offset: int, length: int) -> bytes:
        """See ports.Files; a stick may be pulled once so many bytes were read from it."""
        if self.pulled_after is not None and path == self.pulled_after[0]:
            left = self.pulled_after[1] - length
            self.pulled_after = (path, left)
            if left < 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return self.read(path)[offset : offset + length]

    def exists(self, path: Path) -> bool:
        """See ports.Files."""
        self.power.check()
        return str(path) in self._nodes

    def names(self, path: Path) -> tuple[str, ...]:
        """See ports.Files."""
        self.power.check()
        start = f"{str(path).rstrip('/')}/"
        inside = (name[len(start) :] for name in self._nodes if name.startswith(start) and name != start)
        return tuple(sorted(name for name in inside if "/" not in name))

    def files(self, path: Path) -> tuple[Path, ...]:
        """See ports.Files."""
        self.power.check()
        start = f"{str(path).rstrip('/')}/"
        inside = (
            name for name, node in self._nodes.items() if name.startswith(start) and not node.is_directory
        )
        return tuple(Path(name) for name in sorted(inside))

    def mode(self, path: Path) -> int | None:
        """See ports.Files."""
        self.power.check()
        node = self._nodes.get(str(path))
        return node.mode if node else None

    def modified(self, path: Path) -> datetime | None:
        """See ports.Files: no dates are kept here."""
        self.power.check()
        return None

    def sha256(self, path: Path) -> str:
        """See ports.Files."""
        self.digested.append(path)
        return _digest(self.read(path))

    def is_same(self, path: Path, other: Path) -> bool:
        """See ports.Files: names share a node here as they share an inode there."""
        self.power.check()
        node = self._nodes.get(self._followed(path))
        return node is not None and node is self._nodes.get(self._followed(other))

    def space(self, path: Path) -> DiskSpace:
        """See ports.Files."""
        return DiskSpace(
            path="/",
            device="/dev/mmcblk0p2",
            kind="sd",
            filesystem="ext4",
            size_bytes=32 << 30,
            free_bytes=0 if self.refuses == errno.ENOSPC else self.free_bytes(),
            read_only=self.refuses == errno.EROFS,
        )

    def lay(self, nodes: dict[str, Node]) -> None:
        """Replace everything by a copy of another disk."""
        self._nodes = dict(nodes)

    def all(self) -> dict[str, Node]:
        """Return everything on the disk."""
        return dict(self._nodes)

    def tree(self) -> dict[str, Node]:
        """Return everything on the disk, leftovers of cut-off writes aside."""
        return {name: node for name, node in self._nodes.items() if f"/{TEMPORARY}" not in name}

    def put(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        """Lay a file there without any instant at which the power could go: how the machine was delivered."""
        for parent in reversed(path.parents):
            self._nodes.setdefault(str(parent), Node(0o755))
        self._nodes[str(path)] = Node(mode, data)

    def _followed(self, path: Path) -> str:
        name = str(path)
        node = self._nodes.get(name)
        while node is not None and node.target is not None:
            name = os.path.normpath(os.path.join(os.path.dirname(name), node.target))
            node = self._nodes.get(name)
        return name

    def _put(self, name: str, node: Node) -> None:
        self._nodes[name] = node

    def _drop(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._nodes.pop(name, None)

    def _restore(self, nodes: dict[str, Node | None]) -> None:
        self._drop(tuple(nodes))
        self._nodes |= {name: node for name, node in nodes.items() if node is not None}
