"""A gate in front of a rehearsed node's carrier: while it is shut, the link is cut; the real carrier does all else.

The link notices as it does when a router dies: its connection is lost, and an attempt to connect gets no answer until it
times out, or until the link has healed. To the broker the connection breaks without a farewell, so that it sends the will.
"""

import threading
from collections import deque
from collections.abc import Sequence

from archipel_agent.ports import Clock
from archipel_contract.link.carrier import Arrived, Carrier, CarrierFailed, Incoming, Lost, Outgoing

FAILURES_KEPT = 20
AWAY = "link-broker-away"
WHY = "the rehearsal has cut this link"


class Gate:
    """Implements the Carrier port around another one; `shut` and `unbar` may be called from any thread."""

    def __init__(self, clock: Clock, carrier: Carrier | None = None) -> None:
        """Begin open; `clock` dates the attempts that fail. Without a carrier `guard` comes before anything else."""
        self._clock = clock
        self._behind = carrier
        self._change = threading.Condition()
        self._is_shut = self._is_given_up = False
        self._stands = False  # whether a connection stands, as the link believes
        self.connections = 0  # that were accepted
        # Attempts that failed although the link was not cut: when, by the clock that only grows, and the code.
        self.failures: deque[tuple[float, str]] = deque(maxlen=FAILURES_KEPT)

    def guard(self, carrier: Carrier) -> None:
        """Stand in front of another carrier: that of the next agent of this machine."""
        self._behind = carrier
        self._stands = self._is_given_up = False

    @property
    def _carrier(self) -> Carrier:
        assert self._behind is not None  # see `guard`
        return self._behind

    def shut(self) -> None:
        """Cut the link."""
        self._is_shut = True
        if self._behind is not None:
            self._behind.wake()

    def unbar(self) -> None:
        """Let the link connect again; an attempt that waits for an answer gets it."""
        with self._change:
            self._is_shut = self._is_given_up = False
            self._change.notify_all()

    def give_up(self) -> None:
        """Let an attempt that waits for an answer fail now, and the next ones at once: the agent is to end."""
        with self._change:
            self._is_given_up = True
            self._change.notify_all()

    @property
    def is_shut(self) -> bool:
        """Whether the link is cut."""
        return self._is_shut

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """See Carrier."""
        self._stands = False
        with self._change:
            self._change.wait_for(lambda: not self._is_shut or self._is_given_up, timeout)
        self._pass()
        try:
            self._carrier.open(will, timeout)
        except CarrierFailed as error:
            self.failures.append((self._clock.monotonic(), error.code))
            raise
        self.connections += 1
        self._stands = True

    def subscribe(self, filters: Sequence[tuple[str, int]], timeout: float = 30.0) -> None:
        """See Carrier."""
        self._pass()
        self._carrier.subscribe(filters, timeout)

    def send(self, message: Outgoing) -> bool:
        """See Carrier."""
        self._pass()
        return self._carrier.send(message)

    def receive(self, timeout: float | None) -> tuple[Arrived, ...]:
        """See Carrier."""
        arrived = () if self._cut() else self._carrier.receive(timeout)
        if not self._cut():
            return arrived
        self._carrier.close(orderly=False)
        if not self._stands:
            return ()
        self._stands = False
        return (Lost(code=AWAY, detail=WHY),)

    def wake(self) -> None:
        """See Carrier."""
        self._carrier.wake()

    def acknowledge(self, incoming: Incoming) -> None:
        """See Carrier."""
        self._carrier.acknowledge(incoming)

    def unsent(self) -> int:
        """See Carrier."""
        return self._carrier.unsent()

    def close(self, orderly: bool = True) -> None:
        """See Carrier."""
        self._stands = False
        self._carrier.close(orderly and not self.is_shut)

    def _cut(self) -> bool:
        return self._stands and self.is_shut

    def _pass(self) -> None:
        if self.is_shut:
            self._carrier.close(orderly=False)
            raise CarrierFailed(AWAY, WHY)
