"""Ways: one carrier over several brokers of the same fleet, tried one after the other. Made by whoever opens the link.

A way that cannot be opened is followed by the next at the next attempt; one that was opened stays the first to be tried.
When to try again is the link's decision, as with a single broker.
"""

from collections.abc import Callable, Sequence

from archipel_contract.link.carrier import Arrived, Carrier, CarrierFailed, Incoming, Outgoing

REFUSED = ("link-tls-refused", "link-broker-refused")  # the broker did not take our certificate


def _nobody() -> None:
    """Nobody wants to know."""


class Ways:
    """See `carrier.Carrier`; calls may be made from one thread at a time, `wake` from any."""

    def __init__(
        self,
        carriers: Sequence[Carrier],
        connected: Callable[[], None] = _nobody,
        refused: Callable[[], None] = _nobody,
    ) -> None:
        """Raise ValueError for no carriers. `connected` is called when a broker has let us in, `refused` when one would
        not.
        """
        if not carriers:
            raise ValueError("there is no way to the fleet")
        self._carriers = tuple(carriers)
        self._at = 0
        self._connected, self._refused = connected, refused

    @property
    def _now(self) -> Carrier:
        return self._carriers[self._at]

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """Connect by the present way; raise CarrierFailed, and take the next one at the next attempt."""
        try:
            self._now.open(will, timeout)
        except CarrierFailed as error:
            if error.code in REFUSED:
                self._refused()
            self._at = (self._at + 1) % len(self._carriers)
            raise
        self._connected()

    def subscribe(self, filters: Sequence[tuple[str, int]], timeout: float = 30.0) -> None:
        """See carrier.Carrier."""
        self._now.subscribe(filters, timeout)

    def send(self, message: Outgoing) -> bool:
        """See carrier.Carrier."""
        return self._now.send(message)

    def receive(self, timeout: float | None) -> tuple[Arrived, ...]:
        """See carrier.Carrier."""
        return self._now.receive(timeout)

    def wake(self) -> None:
        """See carrier.Carrier. Of all of them: which one waits is the link's thread's to know."""
        for one in self._carriers:
            one.wake()

    def acknowledge(self, incoming: Incoming) -> None:
        """See carrier.Carrier."""
        self._now.acknowledge(incoming)

    def unsent(self) -> int:
        """See carrier.Carrier."""
        return self._now.unsent()

    def close(self, orderly: bool = True) -> None:
        """See carrier.Carrier."""
        self._now.close(orderly)
