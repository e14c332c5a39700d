"""How often an address may fail: a bucket of failures that fills up again slowly. Kept in memory; safe for several threads.

What succeeds costs nothing, so that a hundred devices behind one router enrol at once.
"""

import threading
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

FAILURES = 20.0  # at once
EVERY_SECONDS = 6.0  # one more
REMEMBERED = 10_000  # addresses; the oldest go first


class Limits:
    """The failures of each address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Return for how many seconds an address is not listened to; `now` is monotonic seconds."""
        with self._lock:
            return max(0.0, (self._level(_network(address), now) - FAILURES + 1.0) * EVERY_SECONDS)

    def failed(self, address: str, now: float) -> None:
        """Count a failure."""
        key = _network(address)
        with self._lock:
            level = min(self._level(key, now) + 1.0, FAILURES + 10.0)
            self._used.pop(key, None)
            self._used[key] = (level, now)
            while len(self._used) > REMEMBERED:
                self._used.popitem(last=False)

    def _level(self, key: str, now: float) -> float:
        level, at = self._used.get(key, (0.0, now))
        return max(0.0, level - max(0.0, now - at) / EVERY_SECONDS)


def _network(address: str) -> str:
    """Return who counts as one: an address, or the 64 bits of IPv6 that one subscriber has."""
    try:
        one = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(one, IPv6Address):
        one = one.ipv4_mapped or IPv6Address(int(one) >> 64 << 64)
    return str(one)
