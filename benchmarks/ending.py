"""Whoever ends the benchmarks early ends what they started: no broker, agent or host is left behind.

Used by `__main__`. SIGTERM and SIGHUP unwind the measurement as Ctrl-C does, so that every part is taken down in its order;
what outlives that (sessions of their own, grandchildren whose parent is gone) is ended here. SIGKILL cannot be answered.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType

import psutil

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans among our descendants become our children, not init's
PATIENCE = 10.0  # seconds a part has to end by itself once it was told


@contextlib.contextmanager
def nothing_is_left(patience: float = PATIENCE) -> Iterator[None]:
    """End every descendant of this process with the block, also when a signal ends it, by force what takes longer than
    `patience` seconds. For the main thread of a process.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "descendants cannot be watched")
    before = {one: signal.signal(one, _unwind) for one in SIGNALS}
    try:
        yield
    finally:
        try:
            _end_descendants(patience)
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def _unwind(number: int, _: FrameType | None) -> None:
    """Leave by an exception, once: a second signal must not end the taking down of what the first began."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _end_descendants(patience: float) -> None:
    told, deadline = set[psutil.Process](), time.monotonic() + patience
    while alive := _descendants():
        is_late = time.monotonic() > deadline
        for one in alive:
            if is_late or one not in told:
                told.add(one)
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGKILL if is_late else signal.SIGTERM)
        time.sleep(0.05)


def _descendants() -> list[psutil.Process]:
    """Return the processes below this one; those that have ended already are reaped."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    return psutil.Process().children(recursive=True)
