"""A backup at a target as a stream: fetched part by part as it is read, so that who wants its beginning fetches no more.

Called by the steps of drills and restores, by the plan of a restore, and by `archipel backup verify`. One part at a time
is held, in a file in memory. The first is small, for the manifest; each next one is larger, for each costs a login.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from archipel_agent.backup.targets import BackupTarget, Stored, TargetFailed
from archipel_agent.host import tree

FIRST = 256 << 10
GROWTH = 8
LARGEST = 16 << 20

Told = Callable[[int, int], None]  # hears of the bytes fetched and of all there are; may raise to end it


@contextlib.contextmanager
def opened(target: BackupTarget, stored: Stored, file: Path, told: Told) -> Iterator[BinaryIO]:
    """Give the bytes of `stored`, from its beginning on; parts lie in `file` for a moment, readable by root alone.

    Reading raises TargetFailed, OSError for our own disk, and what `told` raises.
    """
    try:
        with io.BufferedReader(_Parts(target, stored, file, told), tree.CHUNK) as readable:
            yield readable
    finally:
        tree.forget(file)


class _Parts(io.RawIOBase):
    """Reads one part after the other."""

    def __init__(self, target: BackupTarget, stored: Stored, file: Path, told: Told) -> None:
        self._target, self._stored, self._file, self._told = target, stored, file, told
        self._wanted = FIRST
        self._fetched = 0  # of the whole
        self._at, self._end = 0, 0  # in the file

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the one kind of buffer that BufferedReader hands in
        """Fill `buffer` as far as the present part goes; 0 is the end."""
        if self._at == self._end and not self._fetch():
            return 0
        data = tree.part(self._file, self._at, min(len(buffer), self._end - self._at))
        if not data:
            raise TargetFailed("backup-target-away", f"{self._stored.name}: a part of it was lost")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _fetch(self) -> bool:
        size = self._stored.size
        wanted = min(self._wanted, size - self._fetched)
        if wanted <= 0:
            return False
        self._at = self._target.part(self._stored.name, self._fetched, wanted, self._file)
        self._end = min(tree.size(self._file), self._at + wanted)
        if self._end <= self._at:
            raise TargetFailed("backup-target-away", f"{self._stored.name} is shorter than it was")
        self._fetched += self._end - self._at
        self._wanted = min(self._wanted * GROWTH, LARGEST)
        self._told(self._fetched, size)
        return True
