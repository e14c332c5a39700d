"""The port to time, and how a job that waits learns that it was asked to stop.

Implemented by `host/clock.py`, for the steps of a job by `jobs/clock.py`, in tests by clocks that move when told to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Cancelled(Exception):
    """The job was asked to stop while it waited."""


class Clock(Protocol):
    """Time. The wall clock may lie; durations come from `monotonic`."""

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass; raise Cancelled when the waiting job is asked to stop."""
        ...
