"""Time that passes only when somebody waits: a day in virtual time is over at once.

Implements the Clock port. The wall clock can be set apart from the monotonic one, because on a device it lies.
"""

from datetime import UTC, datetime, timedelta

from archipel_agent.ports import Cancelled

START = datetime(2026, 11, 22, 7, 0, 0, tzinfo=UTC)


class VirtualClock:
    """Starts at 2026-11-22 07:00 UTC with the monotonic clock at 100 s, as a machine that has just booted."""

    def __init__(self, start: datetime = START) -> None:
        self._wall = start
        self._monotonic = 100.0
        self._cancelled = False

    def now(self) -> datetime:
        """See ports.Clock."""
        return self._wall

    def monotonic(self) -> float:
        """See ports.Clock."""
        return self._monotonic

    def wait(self, seconds: float) -> None:
        """Let virtual time pass at once."""
        if self._cancelled:
            raise Cancelled
        self.advance(seconds)

    def cancel(self) -> None:
        """Make the present and every later wait raise Cancelled, as SystemClock does."""
        self._cancelled = True

    def resume(self) -> None:
        """Let waits pass again."""
        self._cancelled = False

    def advance(self, seconds: float) -> None:
        """Let time pass without anybody waiting for it."""
        self._monotonic += seconds
        self._wall += timedelta(seconds=seconds)

    def jump(self, wall: datetime) -> None:
        """Set the wall clock, forth or back; durations are not affected."""
        self._wall = wall
