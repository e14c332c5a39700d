"""A real device under attack: the agent's order desk and link over a broker that anybody may speak through.

Only its machine is not real: time is virtual, and the one order it is ever given for good asks for a few lines of log.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archipel_agent.clocks import TrustedTime
from archipel_agent.host.clock import SystemClock
from archipel_agent.host.fetch import HttpFetcher
from archipel_agent.host.machine import SystemMachine
from archipel_agent.host.privileged import Direct
from archipel_agent.journal import Journal
from archipel_agent.link.link import Link, LinkParts
from archipel_agent.paths import Paths
from archipel_agent.ports import Clock, Ports
from archipel_agent.remote.desk import OrderDesk
from archipel_agent.remote.parts import RemoteParts
from archipel_agent.state.audit import AuditStore
from archipel_agent.state.database import Database
from archipel_agent.state.orders import KeptDocument, OrderStore
from archipel_contract.commands import Outcome, Result
from archipel_contract.facts import ClockQuality, ClockSource
from archipel_contract.link import topics
from archipel_contract.link.carrier import Carrier, Outgoing
from archipel_contract.link.envelope import Envelope, Frame, frame_in, frame_to_wire, to_wire
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import KINDS, TYPE_OF, Event, EventKind, LinkPlan, Welcome
from archipel_contract.link.topics import Down
from archipel_contract.trust.certificates import Authority, Certificate
from archipel_contract.trust.keys import Signer, new_device_key
from archipel_contract.trust.store import TrustStore
from archipel_contract.wire import to_data
from tests.agent.link.nodes import MemoryFacts, report
from tests.chaos.hostile.gate import Attempt, Verdict
from tests.chaos.hostile.world import COUNTER, DAY, FLOOR, GENERATION, NOW, VERSION, World
from tests.fakes.carrier import FakeBroker, FakeCarrier, ScriptedController
from tests.fakes.clock import VirtualClock
from tests.fakes.disk import TreacherousDisk
from tests.fakes.ports import CountedEntropy
from tests.fakes.printing import AnsweringKubeApi, LoggingK3sHost, PrintingRunner
from tests.fakes.service import ScriptedService

WAITING = f"SELECT epoch, sequence FROM messages WHERE acknowledged = 0 AND lane <= {Lane.EVENT:d}"
THEN = datetime.fromtimestamp(NOW / 1000, UTC)
PAST = datetime.fromtimestamp(FLOOR / 1000, UTC)
EVENTS = 30  # that were told, sent, and never acknowledged


class Keys:
    """Implements remote.parts.DeviceKeys in memory."""

    def __init__(self, world: World) -> None:
        self.signer: Signer = world.target.signer
        self.trust = TrustStore(world.ours.documents[VERSION])
        self.certificate: Certificate = _certificate(world)
        self.is_wiped = False

    def take(self, frame: Frame) -> TrustStore:
        """See DeviceKeys."""
        self.trust = self.trust.after(frame)
        return self.trust

    def wipe(self) -> None:
        """See DeviceKeys."""
        self.is_wiped = True


def _certificate(world: World) -> Certificate:
    key = new_device_key()
    return Authority.new(new_device_key(), "CA", THEN).device(world.target.node_id, key.public_key(), THEN)


def _ports(clock: Clock) -> Ports:
    """A machine on which there is nothing."""
    return Ports(
        clock=clock,
        entropy=CountedEntropy(),
        disk=TreacherousDisk(),
        runner=PrintingRunner({}),
        machine=SystemMachine(Path("/")),
        k3s=LoggingK3sHost(()),
        kube=AnsweringKubeApi({}),
        fetcher=HttpFetcher(),
        privileged=Direct({}),
    )


class SigningController(ScriptedController):
    """A controller that signs what has to be signed, and never acknowledges anything."""

    world: World

    def take_payload(self, topic: str, payload: bytes) -> None:
        """Take in one message of the node, whoever signed it."""
        if payload:
            super().take_payload(topic, frame_to_wire(Frame(payload=frame_in(payload).payload)))

    def _answer(self, address: topics.Address, body: Any) -> None:
        kind = KINDS[TYPE_OF[type(body)]]
        if isinstance(body, Welcome):
            body = replace(body, nonce=self.hellos[-1].nonce)
        envelope = Envelope(type=kind.name, at=NOW, body=to_data(body))
        wire = to_wire(envelope, signers=[self.world.right()] if kind.signed else [])
        self._send(
            Outgoing(topic=topics.down(address.shard, address.node_id, Down(kind.channel)), payload=wire)
        )


def controller_of(world: World, send: Callable[[Outgoing], object]) -> SigningController:
    """Return a controller that signs, and acknowledges nothing."""
    made = SigningController(send)
    made.world, made.is_acknowledging = world, False
    return made


class Device:
    """The target of `world`, with everything done that its standing says."""

    def __init__(
        self,
        directory: Path,
        world: World,
        carrier: Carrier | None = None,
        desk: type[OrderDesk] = OrderDesk,
    ) -> None:
        """Without a carrier it gets one over a broker in memory, in virtual time; with one, time is real."""
        self.world = world
        self.clock = VirtualClock(THEN)
        clock: Clock = self.clock if carrier is None else SystemClock()
        self.broker = FakeBroker(self.clock)
        self.carrier = FakeCarrier(self.broker)
        self.own_carrier: Carrier = carrier or self.carrier
        self.quality = ClockQuality.SYNCHRONIZED
        self.keys = Keys(world)
        self.database = Database(directory / "state.db")
        self.orders = OrderStore(self.database)
        self.journal = Journal(AuditStore(self.database), clock, lambda: self.quality)
        ports = _ports(clock)
        self._remember()
        self._outbox = sqlite3.connect(directory / "outbox.db")  # beside the agent, as it lies on the disk
        self.desk = desk(
            RemoteParts(
                node_id=world.target.node_id,
                keys=self.keys,
                orders=self.orders,
                journal=self.journal,
                ports=ports,
                paths=Paths(directory),
                agent=ScriptedService(),
                time=self._time,
                site_id=lambda: world.target.site_id,
            )
        )
        self.link = Link(
            LinkParts(
                node_id=world.target.node_id,
                plan=LinkPlan(),
                broker="mqtts://broker.example",
                clock=clock,
                entropy=ports.entropy,
                facts=MemoryFacts(),
                outbox=directory / "outbox.db",
                carrier=lambda: self.own_carrier,
                identity=self.desk,
            )
        )
        self.shard = topics.shard_of(world.target.site_id, world.target.node_id)

    def _time(self) -> TrustedTime:
        """The time as the device knows it: by a time server, or by nobody."""
        is_sure = self.quality is ClockQuality.SYNCHRONIZED
        source = ClockSource.TIME_SERVER if is_sure else ClockSource.NONE
        now = THEN if is_sure else PAST
        return TrustedTime(now=now, quality=self.quality, floor=PAST, source=source, checks_dates=is_sure)

    def _remember(self) -> None:
        """Have done everything the standing speaks of."""
        fleet = self.world.ours.id
        for at, order in enumerate(self.world.done):
            counter = COUNTER - len(self.world.done) + 1 + at
            self.orders.accept(replace(self.world.past, id=order, counter=counter), fleet)
            self.orders.finish(Result(command=order, outcome=Outcome.DONE), b"")
            self.orders.note_said(order, -1)
        site, then = self.world.target.site_id, NOW - DAY
        document = KeptDocument(
            fleet_id=fleet, site_id=site, generation=GENERATION, frame=b"", issued=then, forced=then
        )
        self.orders.keep_document(document)

    def start(self) -> None:
        """Connect, be welcomed, and have something said that is never acknowledged."""
        controller = self.broker.controller = controller_of(self.world, self.broker.publish)
        self.begin(in_thread=False)
        self.run(60.0)
        assert len(controller.records.events) >= EVENTS, "the device was never welcomed"
        self.look_up(controller)

    def begin(self, in_thread: bool) -> None:
        """Begin to connect, with something to say."""
        self.link.start(in_thread)
        self.desk.start(self.link, in_thread=False)
        self.link.note(report(site_id=self.world.target.site_id))
        self.link.tell(*(Event(kind=EventKind.NOTE, text=str(one)) for one in range(EVENTS)))

    def look_up(self, controller: ScriptedController) -> None:
        """Tell the attacker what a broker sees: this connection's nonce, and which epochs have sent how much."""
        hello = controller.hellos[-1]
        self.world.nonce = hello.nonce
        self.world.epochs = {Lane(int(lane)): epoch for lane, epoch in hello.epochs.items()}
        self.world.sent = EVENTS

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.carrier.longest = max(0.001, until - self.clock.monotonic())
            self.link.step()

    def stop(self) -> None:
        """End."""
        self.desk.stop()
        self.link.stop()
        self._outbox.close()
        self.database.close()

    # --- attacks -----------------------------------------------------------------------------------------------------

    def hear(self, attempt: Attempt) -> Verdict:
        """Deliver one message; return whether anything came of it."""
        before = self.facts()
        self.quality = attempt.clock
        topic = topics.down(self.shard, self.world.target.node_id, attempt.channel)
        self.broker.publish(Outgoing(topic=topic, payload=attempt.wire, qos=1))
        self.run(0.2)
        self.quality = ClockQuality.SYNCHRONIZED
        return self.since(before)

    def since(self, before: tuple[Any, ...]) -> Verdict:
        """Return whether anything was obeyed or let go of since `facts` said this."""
        after = self.facts()
        lost = before[-1] - after[-1]
        refused = {one.code for one in self.desk.status().refused}
        return Verdict(before[:-1] != after[:-1] or bool(lost), " ".join(sorted(refused)))

    def facts(self) -> tuple[Any, ...]:
        """Return all that an order could change; last the names of what waits for its acknowledgement."""
        document = self.orders.document()
        waits = set(self._outbox.execute(WAITING).fetchall())
        return (
            self.orders.counter(self.world.ours.id),
            self.orders.known(),
            document,
            self.keys.trust.document.version,
            self.keys.is_wiped,
            waits,
        )
