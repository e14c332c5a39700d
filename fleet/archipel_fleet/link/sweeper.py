"""Every few seconds: notes that the controller listens, looks who became overdue, and hourly deletes what is too old.

Runs in one thread of its own, started by `serve`. Time without a broker does not count as listening, so that nobody is
called overdue for words that nobody could hear.
"""

from collections.abc import Callable

from archipel_fleet.link.surroundings import Surroundings
from archipel_fleet.ports import StoreFailed

EVERY_SECONDS = 5.0
RETAIN_SECONDS = 3600.0


class Sweeper:
    """The sweeper; `run` is its thread."""

    def __init__(self, around: Surroundings, listening_seconds: Callable[[], float | None]) -> None:
        self._around = around
        self._listening_seconds = listening_seconds
        self._retained = around.clock.monotonic() - RETAIN_SECONDS

    def run(self) -> None:
        """Sweep until the end."""
        while not self._around.stop.wait(EVERY_SECONDS):
            self.turn()

    def turn(self) -> None:
        """Sweep once; what the database refuses now is done next time."""
        around = self._around
        now = around.clock.now()
        try:
            # Counted back from now by the clock that only grows, so that a wall clock that was set changes no durations.
            seconds = self._listening_seconds()
            if seconds is not None:
                around.store.listening(now - round(seconds * 1000), now)
            around.changed(around.store.sweep(now))
            if around.identity is not None:
                around.changed(around.identity.downlink.turn(now))
            if around.clock.monotonic() - self._retained >= RETAIN_SECONDS:
                around.store.retain(now)
                self._retained = around.clock.monotonic()
        except StoreFailed as error:
            around.measures.store_failures.labels(error.code).inc()
