"""The controller's connection to its broker: made, lost, made again with jitter, and announced to nodes by its presence.

Used by `ingest` in its thread; how long it has lasted may be asked from any thread, because only that time counts as
listening.
"""

import structlog

from archipel_contract.link import topics
from archipel_contract.link.carrier import CarrierFailed, Incoming, Outgoing
from archipel_fleet.link.answers import presence
from archipel_fleet.link.surroundings import Surroundings

AWAY = "fleet-broker-away"
RECONNECT_SECONDS = 30.0  # the longest wait between two attempts
STEADY_SECONDS = 10.0  # a connection that lasted so long was a good one
NODES_A_SECOND = 200  # returning nodes whose first messages are taken in without a queue
SPREAD_SECONDS = 5.0  # at least


class Connection:
    """One connection at a time, and what nodes and people are told of it."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._since: float | None = None
        self._failures = 0
        self._number = 0
        self._log = structlog.get_logger("archipel_fleet.link")

    @property
    def seconds(self) -> float | None:
        """For how long it has stood; None while there is none."""
        since = self._since
        return None if since is None else self._around.clock.monotonic() - since

    @property
    def stands(self) -> bool:
        """Whether there is one."""
        return self._since is not None

    def open(self) -> bool:
        """Connect, subscribe, and say that somebody listens; return whether that worked."""
        around = self._around
        self._number = max(self._number + 1, around.clock.now())
        try:
            around.carrier.open(self._presence(False))
            around.carrier.subscribe(filters(around.shards))
            around.carrier.send(self._presence(True))
        except CarrierFailed as error:
            self._failures += 1
            self._gone(str(error))
            return False
        self._since = around.clock.monotonic()
        around.notices.clear(AWAY)
        around.measures.connects.inc()
        around.measures.connected.set(1)
        self._log.info("connected to the broker", broker=around.broker)
        return True

    def delay(self) -> float:
        """Return how many seconds to wait before the next attempt."""
        longest = min(RECONNECT_SECONDS, 0.5 * 2.0 ** min(self._failures, 10))
        return 0.1 + self._around.random() * longest

    def lost(self, detail: str) -> None:
        """Note that the broker is gone."""
        lasted = self.seconds
        if lasted is None:
            return
        self._failures = 1 if lasted >= STEADY_SECONDS else self._failures + 1
        self._gone(detail)

    def leave(self) -> None:
        """Say that nobody listens any more, and hang up."""
        if not self.stands:
            return
        self.send(self._presence(False))
        self._since = None
        self._around.carrier.close(orderly=True)
        self._around.measures.connected.set(0)

    def send(self, message: Outgoing) -> bool:
        """Hand a message over; False when the broker is gone, or too slow for it."""
        if not self.stands:
            return False
        try:
            return self._around.carrier.send(message)
        except CarrierFailed as error:
            self.lost(str(error))
            return False

    def acknowledge(self, taken: list[Incoming]) -> None:
        """Tell the broker which messages were dealt with."""
        for incoming in taken:
            self._around.carrier.acknowledge(incoming)

    def _gone(self, detail: str) -> None:
        around = self._around
        self._since = None
        around.measures.connected.set(0)
        around.notices.hold(AWAY, around.clock.now(), broker=around.broker, detail=detail)
        around.carrier.close(orderly=False)

    def _presence(self, connected: bool) -> Outgoing:
        around = self._around
        spread = max(SPREAD_SECONDS, around.nodes() / NODES_A_SECOND)
        return presence(connected, self._number, around.store.incarnation, spread, around.clock.now())


def filters(shards: frozenset[int]) -> list[tuple[str, int]]:
    """Return the subscriptions for some shards: a single one for all of them."""
    if len(shards) == topics.SHARDS:
        return [(topics.ALL_UP, 1)]
    return [(topics.up_filter(shard), 1) for shard in sorted(shards)]
