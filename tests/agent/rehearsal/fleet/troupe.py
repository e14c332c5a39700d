"""A rehearsal's process without a broker: its company in virtual time, each node with a link that only says how it is."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from archipel_agent.core import Core
from archipel_agent.rehearsal.fleet.gate import Gate
from archipel_agent.rehearsal.fleet.node import RehearsedNode
from archipel_agent.rehearsal.fleet.orders import NodeView, Order
from archipel_agent.rehearsal.fleet.process import Company
from archipel_agent.rehearsal.fleet.scenario import Special
from archipel_agent.rehearsal.fleet.setup import Machine
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_contract.status import LinkMode, LinkState, LinkStatus
from tests.agent.rehearsal.fleet.carriers import QuietCarrier
from tests.fakes.clock import VirtualClock


class FakeLink:
    """Connected while its gate is open."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.stopped = False

    def status(self) -> LinkStatus:
        """See node.Linked."""
        state = LinkState.AWAY if self._gate.is_shut else LinkState.CONNECTED
        return LinkStatus(mode=LinkMode.ALWAYS_ON, state=state)

    def look(self) -> None:
        """See node.Linked."""

    def stop(self) -> None:
        """See node.Linked."""
        self.stopped = True


@dataclass(slots=True)
class Troupe:
    """The company with its nodes and links in reach of the test."""

    root: Path
    special: tuple[Special, ...] = ()
    sites: int = 2
    clock: VirtualClock = field(default_factory=VirtualClock)
    nodes: dict[str, RehearsedNode] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    links: list[FakeLink] = field(default_factory=list)
    views: dict[str, NodeView] = field(default_factory=dict)  # as told while everything was set up

    def company(self) -> Company:
        """Everything set up and running."""
        order = Order(
            first=1,
            last=self.sites,
            nodes=3,
            seed=4,
            broker="mqtt://127.0.0.1:1",
            root=str(self.root),
            interval=10.0,
            metrics_every=300.0,
            pace=0.2,
            special=self.special,
        )
        company = Company(order, self.clock, self._cast)
        for news in company.enter():
            self.views.update(news.nodes)
        return company

    def play(self, company: Company, seconds: float) -> None:
        """Let the company take its turns for so long."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            pause = company.take_turns()
            self.clock.advance(min(pause, until - self.clock.monotonic()) + 0.001)

    def _cast(self, machine: Machine, order: Order, special: Special) -> RehearsedNode:
        node = RehearsedNode(
            machine,
            replace(Settings(), interval=order.interval),
            self._linked,
            special.silent,
        )
        self.nodes[node.name], self.machines[node.name] = node, machine
        return node

    def _linked(self, core: Core, store: Store, gate: Gate) -> FakeLink:
        gate.guard(QuietCarrier())
        link = FakeLink(gate)
        self.links.append(link)
        return link
