"""Everything the ingest needs of others, as one value: ports, findings, counters, and what to call when sites changed."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from archipel_contract.link import topics
from archipel_contract.link.carrier import Carrier, Outgoing
from archipel_fleet.link.measures import Measures
from archipel_fleet.link.notices import Notices
from archipel_fleet.link.senders import Registry, Senders
from archipel_fleet.ports import Clock, Intake, Keys


class Stop(Protocol):
    """The end of the controller, as threading.Event has it."""

    def is_set(self) -> bool:
        """Whether it has come."""
        ...

    def wait(self, timeout: float) -> bool:
        """Wait for it, at most `timeout` seconds; return whether it has come."""
        ...


class Downlink(Protocol):
    """What is to be said to nodes beyond answers; `orders.sending` has it."""

    def waiting(self) -> frozenset[str]:
        """Return the ids of the nodes to which something is to be said since the last call."""
        ...

    def again(self, node_ids: Collection[str]) -> None:
        """What was to be said to these nodes could not be handed over."""
        ...

    def messages(self, node_ids: Collection[str], now: int) -> Iterator[tuple[str, Outgoing]]:
        """Yield what is to be said to these nodes, as far as they are there: node id and message. Raises StoreFailed."""
        ...

    def turn(self, now: int) -> frozenset[str]:
        """Write down what time alone brings; return the ids of sites that changed. Raises StoreFailed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a link needs on which everybody has an identity."""

    keys: Keys
    devices: Registry
    downlink: Downlink

    @property
    def senders(self) -> Senders:
        """Who may sign for which node."""
        return Senders(self.devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the ingest works with and whom it tells."""

    carrier: Carrier
    store: Intake
    clock: Clock
    stop: Stop
    notices: Notices
    measures: Measures
    random: Callable[[], float]
    """Return a number from 0 up to 1."""

    changed: Callable[[frozenset[str]], None]
    """Called with the ids of sites that changed, after each commit."""

    nodes: Callable[[], int]
    """Return how many nodes are known: returning nodes spread their first messages accordingly."""

    identity: Identity | None = None
    """None: the policy of plain loopback, before there are keys; nothing is signed, nothing is ordered."""

    broker: str = ""
    """Its address, for sentences."""

    shards: frozenset[int] = frozenset(range(topics.SHARDS))
