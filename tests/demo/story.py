"""Tells what happens with the seconds since the start, and gives up when the time is over."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 60.0
PAUSE_SECONDS = 0.4


class NotSeen(Exception):
    """Something the demo promises did not show."""


class Story:
    """One run of the demo."""

    def __init__(self, limit: float = LIMIT_SECONDS) -> None:
        self._began = time.monotonic()
        self._limit = limit

    def tell(self, words: str) -> None:
        """Print one line."""
        print(f"demo {self.seconds:5.1f} s  {words}", flush=True)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def until(self, what: str, seen: Callable[[], str]) -> str:
        """Look until `seen` says something; raise NotSeen when the time is over."""
        while not (said := seen()):
            if self.seconds > self._limit:
                raise NotSeen(f"{what}: not seen within {self._limit:g} s")
            time.sleep(PAUSE_SECONDS)
        self.tell(f"{what}: {said}")
        return said
