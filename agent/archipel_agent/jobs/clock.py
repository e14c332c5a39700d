"""The clock of a job: its waits end when the job is asked to stop."""

import threading
from datetime import datetime

from archipel_agent.ports import Cancelled, Clock

SLICE_SECONDS = 0.25  # how soon a stop is noticed


class JobClock:
    """A clock whose waits raise Cancelled once `cancel` was called."""

    def __init__(self, inner: Clock) -> None:
        """Pass time on `inner`."""
        self._inner = inner
        self._cancelled = threading.Event()
        self._shielded = False

    def now(self) -> datetime:
        """Return the wall clock."""
        return self._inner.now()

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return self._inner.monotonic()

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass; raise Cancelled if the job is asked to stop before or meanwhile."""
        end = self._inner.monotonic() + seconds
        self.check()
        while (left := end - self._inner.monotonic()) > 0:
            self._inner.wait(min(left, SLICE_SECONDS))
            self.check()

    def check(self) -> None:
        """Raise Cancelled if the job was asked to stop."""
        if self._cancelled.is_set() and not self._shielded:
            raise Cancelled

    def cancel(self) -> None:
        """Ask the job to stop."""
        self._cancelled.set()

    def shield(self) -> None:
        """Let waits pass from now on: undoing is not stopped half-way."""
        self._shielded = True
