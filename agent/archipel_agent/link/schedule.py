"""When to connect: jittered, so that a fleet that lost its broker does not come back in one second. Pure.

Times are seconds of a clock that only grows, but for the planned calls of dial-in, which follow the wall clock so that each
node keeps its own minute of the hour.
"""

import hashlib
from collections.abc import Callable
from enum import StrEnum

FIRST_SPREAD = 30.0  # over how many seconds agents that start together spread
LONGEST_SECONDS = 300.0
STABLE_SECONDS = 60.0  # a connection that held so long was a good one
REFUSED_SECONDS = (600.0, 3600.0)  # a broker that says no needs a person, not another attempt
URGENT_SECONDS = 600.0
TRIES = 6  # of one planned call; then the next one is waited for
NEEDS_A_PERSON = (
    "link-broker-refused",
    "link-not-loopback",
    "link-tls-unusable",
    "link-tls-refused",
    "link-tls-wrong-broker",
    "link-proxy-refused",
)


class Why(StrEnum):
    """What the next attempt is."""

    RETRY = "retry"
    PLANNED = "planned"  # dial-in: nothing is wrong, the next call is not due yet


class Schedule:
    """Plans the next attempt of one node."""

    def __init__(self, node_id: str, every: float | None, random: Callable[[], float]) -> None:
        """`every` is the seconds between two calls of dial-in, None for always-on; `random` gives 0 up to 1."""
        self._every, self._random = every, random
        self._phase = int.from_bytes(hashlib.sha256(node_id.encode()).digest()[:6], "big") / (1 << 48)
        self._failures = 0
        self._connected_at: float | None = None
        self._urgent_at = -URGENT_SECONDS
        self.why = Why.RETRY
        self.next_at = 0.0

    @property
    def is_planned(self) -> bool:
        """Whether nothing is wrong, and the next call is just not due yet."""
        return self.why is Why.PLANNED

    def begin(self, now: float, spread: float = FIRST_SPREAD) -> None:
        """The agent starts."""
        self._plan(now, self._random() * spread)

    def connected(self, now: float) -> None:
        """The broker has accepted."""
        self._connected_at = now

    def ended(self, now: float, wall: float, code: str, spread: float) -> None:
        """An attempt failed or a connection broke, for the reason `code`.

        `spread` is over how many seconds the controller asks returning nodes to come; 0 if it was never heard.
        """
        held = now - self._connected_at if self._connected_at is not None else 0.0
        was_connected, self._connected_at = self._connected_at is not None, None
        if held >= STABLE_SECONDS:
            self._failures = 0
        self._failures += 1
        if code in NEEDS_A_PERSON:
            least, most = REFUSED_SECONDS
            self._plan(now, least + self._random() * (most - least))
        elif self._every is not None and self._failures > TRIES:
            self.called(now, wall)
        elif self._failures == 1 and was_connected:
            self._plan(now, self._random() * (spread or FIRST_SPREAD))
        else:
            self._plan(now, self._random() * min(LONGEST_SECONDS, 2.0 * 2.0 ** min(self._failures, 16)))

    def called(self, now: float, wall: float) -> None:
        """A call is over and all was said; the next is in its minute of the period."""
        assert self._every is not None  # only dial-in hangs up
        self._failures, self._connected_at = 0, None
        wait = (self._phase * self._every - wall) % self._every
        # Clocks differ a little: a call that came just before its moment must not be followed by another at once.
        wait = wait if wait >= min(STABLE_SECONDS, self._every / 10) else wait + self._every
        self._plan(now, wait, Why.PLANNED)

    def hurry(self, now: float, is_held: bool = False) -> None:
        """Something is worth an attempt now: a problem appeared, or settings changed. At most one in ten minutes, but for a
        line that is held, on which it costs next to nothing.
        """
        if self.next_at > now and (is_held or now - self._urgent_at >= URGENT_SECONDS):
            self._urgent_at = now
            self._plan(now, self._random() * 2.0)

    def sooner(self, at: float) -> None:
        """Somebody waits for the next call of a line that is held."""
        self.next_at = min(self.next_at, at)

    def redial(self, now: float) -> None:
        """A line that was kept is dead: its call is due, and each node's is in a minute of its own."""
        self._connected_at = None
        self._plan(now, 0.0)

    def at_once(self, now: float) -> None:
        """The node left its place (its shard changed): connect anew without the growth of failures."""
        self._connected_at = None
        self._plan(now, self._random() * 2.0)

    def _plan(self, now: float, wait: float, why: Why = Why.RETRY) -> None:
        self.next_at, self.why = now + wait, why
