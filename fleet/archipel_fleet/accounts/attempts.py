"""How often somebody may try a password: waits that grow with each failure, by account and by address.

Called by `service`. Kept in memory only: a restart forgets, and nobody stays locked out. An attempt counts before its
password is looked at, so that many at once are no way around.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

FREE = 4  # failures that cost no wait: people mistype
FIRST_WAIT = 1.0  # seconds, doubled with each further failure
# Somebody else's attempts must not keep the owner of an account out for long; an address harms only itself.
LONGEST_WAIT = {"account": 15.0, "address": 300.0}
FORGOTTEN_AFTER = 900.0  # seconds without a failure
REMEMBERED = 10_000  # keys; the oldest go first, so that made-up names cost no memory


class TooManyAttempts(Exception):
    """Not now; `wait` says after how many seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"try again in {wait:.0f} s")
        self.wait = wait


@dataclass(slots=True)
class _Count:
    failures: int
    last: float


class Attempts:
    """The failures that are remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def begin(self, name: str, address: str, now: float) -> None:
        """Count an attempt at `now` (monotonic seconds); raise TooManyAttempts if it comes too soon."""
        keys = [("account", name.casefold()), ("address", address)]
        with self._lock:
            wait = max(self._wait(key, now) for key in keys)
            if wait > 0:
                raise TooManyAttempts(wait)
            for key in keys:
                self._count(key, now)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of this account and address."""
        with self._lock:
            self._counts.pop(("account", name.casefold()), None)
            self._counts.pop(("address", address), None)

    def _wait(self, key: tuple[str, str], now: float) -> float:
        count = self._counts.get(key)
        if count is None or now - count.last > FORGOTTEN_AFTER or count.failures <= FREE:
            return 0.0
        # The exponent is bounded before it is taken: a float ends at 2**1024.
        wait = min(FIRST_WAIT * 2.0 ** min(count.failures - FREE - 1, 32), LONGEST_WAIT[key[0]])
        return max(0.0, count.last + wait - now)

    def _count(self, key: tuple[str, str], now: float) -> None:
        count = self._counts.pop(key, None)
        if count is None or now - count.last > FORGOTTEN_AFTER:
            count = _Count(0, now)
        self._counts[key] = _Count(count.failures + 1, now)
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
