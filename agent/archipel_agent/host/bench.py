"""The one door to measuring a disk and to making the processor work, for the acceptance kit; never used at rest.

What is written is a scratch file that is removed again, whatever happens in between.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

BLOCK = 1 << 20
WORK = b"\0" * (1 << 18)


class Bench(Protocol):
    """What the kit measures with."""

    def synced_writes(self, path: Path, count: int, size: int) -> tuple[float, ...]:
        """Append `count` blocks of `size` bytes to a new file, each followed by fdatasync(2); return the seconds each of
        these calls took. Raises OSError."""
        ...

    def sequential_read(self, path: Path, size: int) -> float:
        """Write a file of `size` bytes, have the system forget it, read it back; return bytes per second. Raises OSError."""
        ...

    def work(self, until: Callable[[], bool]) -> None:
        """Keep every processor busy until that is so."""
        ...


class SystemBench:
    """This machine."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` is the clock's."""
        self._monotonic = monotonic

    def synced_writes(self, path: Path, count: int, size: int) -> tuple[float, ...]:
        """See Bench."""
        taken = []
        block = os.urandom(size)
        with _scratch(path) as descriptor:
            for _ in range(count):
                os.write(descriptor, block)
                begun = self._monotonic()
                os.fdatasync(descriptor)
                taken.append(self._monotonic() - begun)
        return tuple(taken)

    def sequential_read(self, path: Path, size: int) -> float:
        """See Bench."""
        with _scratch(path) as descriptor:
            for _ in range(0, size, BLOCK):
                os.write(descriptor, os.urandom(BLOCK))
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            begun = self._monotonic()
            done = 0
            while piece := os.pread(descriptor, BLOCK, done):
                done += len(piece)
            return done / max(self._monotonic() - begun, 1e-9)

    def work(self, until: Callable[[], bool]) -> None:
        """See Bench. Digests of large blocks leave Python's lock alone, so that threads are enough."""
        over = threading.Event()

        def burn() -> None:
            while not over.is_set():
                hashlib.sha256(WORK).digest()

        workers = [threading.Thread(target=burn) for _ in range(os.cpu_count() or 1)]
        for worker in workers:
            worker.start()
        try:
            while not until():
                pass
        finally:
            over.set()
            for worker in workers:
                worker.join()


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
