"""A carrier that reaches a broker nobody sees: it notes what is done with it."""

from collections.abc import Sequence

from archipel_contract.link.carrier import Arrived, CarrierFailed, Incoming, Outgoing


class QuietCarrier:
    """Implements the Carrier port."""

    def __init__(self) -> None:
        self.is_open = False
        self.refuses = ""  # with this code
        self.did: list[str] = []
        self.sent: list[Outgoing] = []
        self.coming: list[Arrived] = []

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """See Carrier."""
        if self.refuses:
            raise CarrierFailed(self.refuses, "the broker said no")
        self.is_open = True
        self.did.append("open")

    def subscribe(self, filters: Sequence[tuple[str, int]], timeout: float = 30.0) -> None:
        """See Carrier."""
        self.did.append("subscribe")

    def send(self, message: Outgoing) -> bool:
        """See Carrier."""
        if not self.is_open:
            raise CarrierFailed("link-broker-away", "there is no connection")
        self.sent.append(message)
        return True

    def receive(self, timeout: float | None) -> tuple[Arrived, ...]:
        """See Carrier."""
        arrived, self.coming = tuple(self.coming), []
        return arrived

    def wake(self) -> None:
        """See Carrier."""
        self.did.append("wake")

    def acknowledge(self, incoming: Incoming) -> None:
        """See Carrier."""
        self.did.append("acknowledge")

    def unsent(self) -> int:
        """See Carrier."""
        return 0

    def close(self, orderly: bool = True) -> None:
        """See Carrier."""
        self.is_open = False
        self.did.append("close" if orderly else "break")
