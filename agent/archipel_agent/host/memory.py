"""When the agent gives memory back: what a start, a job or an enrolment needed once must not stay resident for years.

Called by the daemon.
"""

from collections.abc import Callable

from archipel_contract.memory import give_back, resident

SELDOM_SECONDS = 3600.0  # between two times of giving memory back: it takes as long as several turns
GROWN_BYTES = 512 << 10  # what orders or a new connection left behind is given back sooner
GROWN_SECONDS = 60.0


class Tidying:
    """When memory is given back: after a job, where much has come since the last time, and once in a while."""

    def __init__(
        self, give_back: Callable[[], None] = give_back, resident: Callable[[], int] = resident
    ) -> None:
        """Nothing was given back yet."""
        self._give_back, self._resident = give_back, resident
        self._at: float | None = None
        self._looked = 0.0
        self._bytes = 0

    def worked(self) -> None:
        """A job runs, and leaves something behind."""
        self._at = None

    def rests(self, now: float) -> None:
        """Nothing is going on: give memory back if it is worth that. `now` is seconds of a clock that only grows."""
        if self._is_due(now):
            self._give_back()
            self._at, self._looked, self._bytes = now, now, self._resident()

    def _is_due(self, now: float) -> bool:
        if self._at is None or now - self._at >= SELDOM_SECONDS:
            return True
        if now - self._looked < GROWN_SECONDS:
            return False
        self._looked = now
        return self._resident() >= self._bytes + GROWN_BYTES
