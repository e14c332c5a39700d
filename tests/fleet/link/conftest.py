"""A controller's ingest between a planned broker and a remembering store, in stepped time."""

from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from archipel_fleet.link.ingest import Ingest
from archipel_fleet.link.measures import Measures
from archipel_fleet.link.notices import Notices
from archipel_fleet.link.surroundings import Surroundings
from tests.fakes.fleet_intake import PlannedBroker, RememberingStore, SteppedTime


@dataclass
class World:
    """Everything around one ingest."""

    time: SteppedTime = field(default_factory=SteppedTime)
    store: RememberingStore = field(default_factory=RememberingStore)
    notices: Notices = field(default_factory=Notices)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    changed: list[frozenset[str]] = field(default_factory=list)
    nodes: int = 0

    def __post_init__(self) -> None:
        """Put the ingest together."""
        self.broker = PlannedBroker(self.time)
        self.around = Surroundings(
            carrier=self.broker,
            store=self.store,
            clock=self.time,
            stop=self.time,
            notices=self.notices,
            measures=Measures(self.registry),
            random=lambda: 0.5,
            changed=self.changed.append,
            nodes=lambda: self.nodes,
            broker="mqtt://127.0.0.1:1883",
        )
        self.ingest = Ingest(self.around)

    def run_for(self, seconds: float) -> None:
        """Run the ingest for so long."""
        self.time.after(seconds, self.time.end)
        self.ingest.run()

    def codes(self) -> list[str]:
        """The findings that hold."""
        return [row.finding.code for row in self.notices.rows(self.time.now())]

    def count(self, name: str, **labels: str) -> float:
        """A counter's value."""
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def world() -> World:
    return World()
