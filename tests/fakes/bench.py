"""A bench that measures nothing: it answers with the times and rates it was told, and works in virtual time."""

import errno
import os
from collections.abc import Callable
from pathlib import Path


class ToldBench:
    """Implements host.bench.Bench."""

    def __init__(
        self, seconds: float = 0.002, slow: int = 0, rate: float = 90e6, fails: bool = False
    ) -> None:
        """Each write takes `seconds`, the last `slow` of them a tenth of a second; `fails`: the disk cannot be written."""
        self._seconds, self._slow, self._rate, self._fails = seconds, slow, rate, fails
        self.asked: list[Path] = []

    def synced_writes(self, path: Path, count: int, size: int) -> tuple[float, ...]:
        """See Bench."""
        self._ask(path)
        return (self._seconds,) * (count - self._slow) + (0.1,) * self._slow

    def sequential_read(self, path: Path, size: int) -> float:
        """See Bench."""
        self._ask(path)
        return self._rate

    def work(self, until: Callable[[], bool]) -> None:
        """See Bench."""
        while not until():
            pass

    def _ask(self, path: Path) -> None:
        self.asked.append(path)
        if self._fails:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
