"""The clock and randomness of this machine."""

import os
import threading
import time
from datetime import UTC, datetime

from archipel_agent.ports import Cancelled


class SystemClock:
    """The machine's clocks; `cancel` ends every wait with Cancelled until `resume`."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC datetime."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass; raise Cancelled if asked to stop before or meanwhile."""
        if self._cancelled.wait(seconds):
            raise Cancelled

    def cancel(self) -> None:
        """Make the present and every later wait raise Cancelled."""
        self._cancelled.set()

    def resume(self) -> None:
        """Let waits pass again."""
        self._cancelled.clear()


class SystemEntropy:
    """The kernel's random numbers."""

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        return os.urandom(count)


def text(moment: datetime) -> str:
    """Return an aware UTC datetime as RFC 3339 with whole seconds and `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
