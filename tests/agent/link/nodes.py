"""A node with its link for tests: in virtual time over the fake broker, or with its own thread over a real one."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from archipel_agent.host.clock import SystemClock, SystemEntropy
from archipel_agent.link.engine import Budget
from archipel_agent.link.identity import LinkIdentity, Nobody
from archipel_agent.link.link import Link, LinkParts
from archipel_agent.state.database import StateUnusable
from archipel_contract.facts import ClockQuality, NodeFacts, NodeUsage
from archipel_contract.findings import Finding
from archipel_contract.link import topics
from archipel_contract.link.carrier import Carrier, Incoming
from archipel_contract.link.messages import Event, EventKind, LinkPlan
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, Role, SiteDocument
from archipel_contract.status import ClusterStatus, Health, K3sStatus, LinkMode, NodeStatus, Report
from tests.brokers.servers import RealBroker
from tests.fakes.carrier import FakeBroker, FakeCarrier, ScriptedController
from tests.fakes.clock import VirtualClock

NODE = "n-0000000000000000"
SITE = "s-0000000000000000"
NOBODY = Nobody()
ALWAYS_ON = LinkPlan()
DIAL_IN = LinkPlan(mode=LinkMode.DIAL_IN, every=3600)


class MemoryFacts:
    """Implements memory.Facts: durable at once, until the disk is full."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.is_full = False
        self.writes = 0

    def value(self, name: str) -> str | None:
        """See Facts."""
        return self.kept.get(name)

    def keep(self, **facts: str | None) -> None:
        """See Facts."""
        if self.is_full:
            raise StateUnusable("disk-full", Path("state.db"), "database or disk is full")
        self.writes += 1
        for name, value in facts.items():
            if value is None:
                self.kept.pop(name, None)
            else:
                self.kept[name] = value


class CountedEntropy:
    """Implements the Entropy port: the same answers in every run of a test."""

    def __init__(self, seed: str = "") -> None:
        self._seed, self._calls = seed, 0

    def bytes(self, count: int) -> bytes:
        """See ports.Entropy."""
        self._calls += 1
        return hashlib.sha256(f"{self._seed}/{self._calls}".encode()).digest()[:count]


def report(
    health: Health = Health.HEALTHY,
    site_id: str = "",
    findings: tuple[Finding, ...] = (),
    hostname: str = "h",
) -> Report:
    """Return what a turn could have reported."""
    site = None
    if site_id:
        site = SiteDocument(
            site_id=site_id,
            generation=0,
            origin=Origin.LOCAL,
            name="a",
            network=Network(node_ip="192.0.2.1", interface="eth0"),
            k3s=K3sBinary(path="/usr/local/bin/k3s", version="v1.36.3+k3s1", sha256=""),
            nodes=(NodeSpec(node_id=NODE, node_name="a"),),
        )
    return Report(
        at="2026-11-22T07:00:00Z",
        health=health,
        sentence="",
        node=NodeStatus(
            node_id=NODE,
            node_name="a",
            role=Role.SERVER,
            clock=ClockQuality.SYNCHRONIZED,
            facts=NodeFacts(hostname=hostname, architecture="x86_64"),
            usage=NodeUsage(cpu_percent=3.0),
            k3s=K3sStatus(),
        ),
        cluster=ClusterStatus(reachable=False),
        findings=findings,
        agent_version="0.1.0",
        site=site,
    )


def note(text: str) -> Event:
    """Return an event that can be recognised."""
    return Event(kind=EventKind.NOTE, text=text)


class VirtualNode:
    """A node whose agent can be killed and started again; everything happens in virtual time, in the test's thread."""

    def __init__(
        self,
        directory: Path,
        plan: LinkPlan = ALWAYS_ON,
        budget: Budget = Budget(),
        identity: LinkIdentity = NOBODY,
        holds: bool = False,
    ) -> None:
        self.clock = VirtualClock()
        self.broker = FakeBroker(self.clock)
        self.carrier = FakeCarrier(self.broker)
        self.facts = MemoryFacts()
        self.outbox = directory / "outbox.db"
        self.free: int | None = None
        self.report = report()
        self._plan, self._budget, self._identity, self._holds = plan, budget, identity, holds
        self._starts = 0
        self.link = self._new()

    def _new(self) -> Link:
        self._starts += 1
        return Link(
            LinkParts(
                node_id=NODE,
                plan=self._plan,
                broker="mqtt://127.0.0.1:1883",
                clock=self.clock,
                entropy=CountedEntropy(str(self._starts)),
                facts=self.facts,
                outbox=self.outbox,
                carrier=lambda: self.carrier,
                free_bytes=lambda: self.free,
                budget=self._budget,
                identity=self._identity,
                holds=self._holds,
            )
        )

    @property
    def controller(self) -> ScriptedController:
        """Who listens."""
        return self.broker.controller

    def start(self) -> None:
        """Start the agent, which takes its first turn."""
        self.link.start(in_thread=False)
        self.turn()

    def turn(self, changed: Report | None = None) -> None:
        """Have the agent take a turn."""
        self.report = changed or self.report
        self.link.note(self.report)

    def tell(self, *texts: str) -> None:
        """Have something happen."""
        self.link.tell(*map(note, texts))

    def run(self, seconds: float, turns: float = 0.0) -> int:
        """Let time pass, with a turn every `turns` seconds; return how often the link woke up."""
        until, woken = self.clock.monotonic() + seconds, 0
        next_turn = self.clock.monotonic() + turns if turns else until + 1
        while self.clock.monotonic() < until:
            if self.clock.monotonic() >= next_turn:
                self.turn()
                next_turn += turns
            self.carrier.longest = max(0.001, min(until, next_turn) - self.clock.monotonic())
            self.link.step()
            woken += 1
        return woken

    def kill(self) -> None:
        """End the agent as kill -9 does: nothing is written any more, and its connection breaks."""
        outbox = self.link._core._outbox
        if outbox is not None:
            outbox.close()
        self.broker.cut()
        self.link = self._new()

    def heal(self) -> None:
        """All is well outside from now on."""
        self.broker.harm = lambda upwards, message: (0.0,)
        self.broker.refuses = ""
        self.carrier.window = None
        self.facts.is_full = False
        self.controller.is_acknowledging = True
        if not self.controller.is_listening:
            self.controller.come()

    def settle(self, seconds: float = 7200.0) -> None:
        """Let everything be said: no more harm, and time for every wait there is."""
        self.heal()
        self.run(seconds, turns=600.0)
        self.run(100.0)


class ListeningController:
    """The scripted controller behind a real broker, in a thread of its own."""

    def __init__(self, broker: RealBroker, name: str = "controller") -> None:
        self._carrier = MqttCarrier(broker.url, name)
        self.scripted = ScriptedController(self._carrier.send)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="controller")

    def start(self) -> None:
        """Connect and listen."""
        self._carrier.open(self.scripted.presence(False))
        self._carrier.subscribe([(topics.ALL_UP, 1)])
        self._carrier.send(self.scripted.presence(True))
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for one in self._carrier.receive(5.0):
                if isinstance(one, Incoming):
                    self.scripted.take_payload(one.topic, one.payload)

    def stop(self) -> None:
        """Hang up."""
        self._stop.set()
        self._carrier.wake()
        self._thread.join(10)
        self._carrier.close(orderly=False)


@contextlib.contextmanager
def real_link(
    directory: Path,
    broker: RealBroker,
    facts: MemoryFacts | None = None,
    carrier: Callable[[], Carrier] | None = None,
    plan: LinkPlan = ALWAYS_ON,
) -> Iterator[Link]:
    """Give a link over a real broker, started, and stop it in the end."""
    link = Link(
        LinkParts(
            node_id=NODE,
            plan=plan,
            holds=plan.mode is LinkMode.DIAL_IN,
            broker=str(broker.url),
            clock=SystemClock(),
            entropy=SystemEntropy(),
            facts=facts or MemoryFacts(),
            outbox=directory / "outbox.db",
            carrier=carrier or (lambda: MqttCarrier(broker.url, NODE)),
            first_spread=0.0,
        )
    )
    link.start()
    try:
        yield link
    finally:
        link.stop()


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something real, not longer than `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.01)


def other(one: Report, hostname: str) -> Report:
    """Return the report of a machine that is now called otherwise."""
    return replace(one, node=replace(one.node, facts=replace(one.node.facts, hostname=hostname)))
