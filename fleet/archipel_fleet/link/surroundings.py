"""Everything the ingest needs of others, as one value: ports, findings, counters, and what to call when sites changed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from archipel_contract.link import topics
from archipel_contract.link.carrier import Carrier
from archipel_fleet.link.measures import Measures
from archipel_fleet.link.notices import Notices
from archipel_fleet.ports import Clock, Intake


class Stop(Protocol):
    """The end of the controller, as threading.Event has it."""

    def is_set(self) -> bool:
        """Whether it has come."""
        ...

    def wait(self, timeout: float) -> bool:
        """Wait for it, at most `timeout` seconds; return whether it has come."""
        ...


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

    broker: str = ""
    """Its address, for sentences."""

    shards: frozenset[int] = frozenset(range(topics.SHARDS))
