"""A broker, a controller and a carrier in memory, in virtual time: they drop, repeat, reorder, refuse and cut when told to.

`FakeBroker` knows one node's connection and what is retained; `ScriptedController` takes in like the real one (duplicates by
epoch and sequence, acknowledgements after its commit) and can be restored from a copy; `FakeCarrier` is the node's end.
"""

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archipel_contract.audit import AuditEntries, Entry
from archipel_contract.commands import Result
from archipel_contract.link import topics
from archipel_contract.link.carrier import Arrived, CarrierFailed, Incoming, Lost, Outgoing
from archipel_contract.link.delta import PatchInvalid, patched, state_hash
from archipel_contract.link.envelope import (
    Envelope,
    Frame,
    Signs,
    frame_to_wire,
    from_wire,
    only_unsigned,
    to_wire,
)
from archipel_contract.link.messages import (
    KINDS,
    TYPE_OF,
    Ack,
    Ask,
    DeltaState,
    EpochAck,
    Event,
    FullState,
    Gap,
    Hello,
    Metrics,
    Presence,
    Wanted,
    Welcome,
)
from archipel_contract.link.topics import Down
from archipel_contract.wire import from_data, to_data
from tests.fakes.clock import VirtualClock

OPEN_END = 1 << 62


@dataclass
class Records:
    """What the controller's database holds; copied for a backup."""

    events: dict[tuple[int, int], Event] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    points: dict[tuple[int, int], Metrics] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    done: dict[int, set[int]] = field(default_factory=dict)  # by epoch
    repeated: int = 0


class ScriptedController:
    """Takes in what one node says."""

    def __init__(self, send: Callable[[Outgoing], object]) -> None:
        self._send = send
        self._lives = itertools.count(1)
        self._connections = itertools.count(1)
        self.incarnation = "life-1"
        next(self._lives)
        self.connection = next(self._connections)
        self.records = Records()
        self.hellos: list[Hello] = []
        self.heard: list[Envelope] = []
        self.topics: list[str] = []
        self.presences: list[Presence] = []
        self.is_listening = True
        self.is_acknowledging = True
        self.asks_for_states = True
        self.spread = 0.0
        self.signers: Sequence[Signs] = ()  # who signs its answers; nobody: the policy before there are keys
        self.signs_acks = True
        self.frames: list[Frame] = []
        self.results: list[Result] = []
        self.audit: list[Entry] = []

    # --- its life ----------------------------------------------------------------------------------------------------

    def presence(self, connected: bool = True) -> Outgoing:
        """What it keeps at the broker about itself."""
        said = Presence(
            connected=connected,
            connection=self.connection,
            incarnation=self.incarnation,
            spread_seconds=self.spread,
        )
        return Outgoing(topic=topics.CONTROLLER_PRESENCE, payload=_wire(said), qos=1, retained=True)

    def go(self) -> None:
        """End; its will says so."""
        self.is_listening = False
        self._send(self.presence(False))

    def come(self) -> None:
        """Start (again)."""
        self.is_listening = True
        self.connection = next(self._connections)
        self._send(self.presence(True))

    def backup(self) -> Records:
        """Return a copy of everything."""
        return copy.deepcopy(self.records)

    def restore(self, records: Records) -> None:
        """Be an older self from now on: another life of the database."""
        self.records = copy.deepcopy(records)
        self.incarnation = f"life-{next(self._lives)}"
        self.come()

    # --- taking in ---------------------------------------------------------------------------------------------------

    def take_payload(self, topic: str, payload: bytes) -> None:
        """Take in one message of the node."""
        if not self.is_listening or not payload:
            return
        address = topics.parse(topic)
        frame, envelope = from_wire(payload, _anything if self.signers else only_unsigned)
        body = from_data(KINDS[envelope.type].body, envelope.body)
        self.heard.append(envelope)
        self.frames.append(frame)
        self.topics.append(topic)
        if isinstance(body, Presence):
            self.presences.append(body)
        elif isinstance(body, Hello):
            self.hellos.append(body)
            held = state_hash(self.records.state) if self.records.state else ""
            welcome = Welcome(
                incarnation=self.incarnation,
                connection=body.connection,
                state_hash=held,
                nonce=body.nonce,
                audit=len(self.audit),
            )
            self._answer(address, welcome)
        else:
            self._sequenced(address, envelope, body)

    def _sequenced(self, address: topics.Address, envelope: Envelope, body: Any) -> None:
        done = self.records.done.setdefault(envelope.epoch, set())
        if envelope.sequence in done:
            self.records.repeated += 1
        elif not self._commit(address, envelope, body):
            return
        done.add(envelope.sequence)
        done.update(envelope.replaces)
        if self.is_acknowledging:
            self._acknowledge(address, envelope.epoch)

    def _commit(self, address: topics.Address, envelope: Envelope, body: Any) -> bool:
        key = envelope.epoch, envelope.sequence
        if isinstance(body, Event):
            self.records.events[key] = body
        elif isinstance(body, Gap):
            self.records.gaps.append(body)
        elif isinstance(body, Metrics):
            self.records.points[key] = body
        elif isinstance(body, Result):
            self.results.append(body)
        elif isinstance(body, AuditEntries):
            self.audit += [one for one in body.entries if one.number > len(self.audit)]
        elif isinstance(body, FullState):
            assert state_hash(body.state) == body.hash
            self.records.state = body.state
        elif isinstance(body, DeltaState):
            return self._delta(address, body)
        return True

    def _delta(self, address: topics.Address, body: DeltaState) -> bool:
        held = self.records.state
        try:
            after = patched(held, body.patch)
        except PatchInvalid:
            after = {}
        if not held or state_hash(held) != body.base or state_hash(after) != body.hash:
            self._answer(address, Ask(wanted=Wanted.FULL, why="the base is another"))
            return False
        self.records.state = after
        return True

    def _acknowledge(self, address: topics.Address, epoch: int) -> None:
        spans: list[tuple[int, int]] = []
        for one in sorted(self.records.done[epoch]):
            if spans and one == spans[-1][1] + 1:
                spans[-1] = spans[-1][0], one
            else:
                spans.append((one, one))
        upto = spans.pop(0)[1] if spans and spans[0][0] == 1 else 0
        acks = (EpochAck(epoch=epoch, upto=upto, also=tuple(spans)),)
        self._answer(address, Ack(acks=acks, node=address.node_id))

    def ask(self, address: topics.Address, wanted: Wanted) -> None:
        """Ask the node for something."""
        self._answer(address, Ask(wanted=wanted))

    def _answer(self, address: topics.Address, body: Any) -> None:
        channel = Down(KINDS[TYPE_OF[type(body)]].channel)
        topic = topics.down(address.shard, address.node_id, channel)
        signers = self.signers if self.signs_acks or not isinstance(body, Ack) else ()
        self._send(Outgoing(topic=topic, payload=_wire(body, signers)))

    def say(self, node_id: str, kind: str, frame: Frame) -> None:
        """Say something that was signed elsewhere."""
        channel = Down(KINDS[kind].channel)
        topic = topics.down(topics.shard_of("", node_id), node_id, channel)
        self._send(Outgoing(topic=topic, payload=frame_to_wire(frame)))

    # --- what it knows -----------------------------------------------------------------------------------------------

    def texts(self) -> list[str]:
        """Return the texts of all events, by epoch and sequence."""
        return [self.records.events[key].text for key in sorted(self.records.events)]

    def missing(self, epoch: int, sequence: int) -> bool:
        """Whether a message was declared as lost and did not arrive."""
        if sequence in self.records.done.get(epoch, set()):
            return False
        return any(
            gap.epoch == epoch and gap.first <= sequence <= (gap.last or OPEN_END)
            for gap in self.records.gaps
        )


def _anything(frame: Frame) -> None:
    """What the node signed is looked at by the test."""


def _wire(body: Any, signers: Sequence[Signs] = ()) -> bytes:
    return to_wire(Envelope(type=TYPE_OF[type(body)], at=0, body=to_data(body)), signers=signers)


class FakeBroker:
    """Carries messages between one node and the controller, after a delay, as badly as it is told to."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.retained: dict[str, bytes] = {}
        self.controller = ScriptedController(self.publish)
        self.wire: list[tuple[float, int, bool, Outgoing]] = []  # when, order, upwards, what
        self.carrier: FakeCarrier | None = None  # who is connected
        self.delay = 0.05
        self.refuses = ""  # the code with which every connection is refused
        self.harm: Callable[[bool, Outgoing], Sequence[float]] = lambda upwards, message: (0.0,)
        self.wills = 0
        self.is_forgotten = False
        self._order = itertools.count()
        self.publish(self.controller.presence())

    def publish(self, message: Outgoing) -> None:
        """Have something said to the node, after the harm that is done to it."""
        if message.retained:
            self._retain(message)
        if self.carrier is not None and not self.is_forgotten:
            for late in self.harm(False, message) if not message.retained else (0.0,):
                self._put(late, False, message)

    def accept(self, message: Outgoing) -> None:
        """Take something from the node. What has QoS 1 arrives at least once while the connection stands."""
        if self.is_forgotten:
            return
        if message.retained:
            self._retain(message)
        late = list(self.harm(True, message))
        for one in late or ([0.0] if message.qos and message.retained else []):
            self._put(one, True, message)

    def _retain(self, message: Outgoing) -> None:
        if message.payload:
            self.retained[message.topic] = message.payload
        else:
            self.retained.pop(message.topic, None)

    def _put(self, late: float, upwards: bool, message: Outgoing) -> None:
        self.wire.append((self.clock.monotonic() + self.delay + late, next(self._order), upwards, message))
        self.wire.sort(key=lambda one: one[:2])

    def run(self, until: float) -> None:
        """Let time pass and deliver what comes due, up to the first thing that reaches the node."""
        while self.wire and self.wire[0][0] <= until:
            due, _, upwards, message = self.wire.pop(0)
            self.clock.advance(max(0.0, due - self.clock.monotonic()))
            if upwards:
                self.controller.take_payload(message.topic, message.payload)
            elif self.carrier is not None and self.carrier.deliver(message):
                return
        self.clock.advance(max(0.0, until - self.clock.monotonic()))

    def forget(self) -> None:
        """The way forgets the connection and tells neither side: whatever is said on it is lost, until there is another."""
        self.is_forgotten = self.carrier is not None
        self.wire = [one for one in self.wire if one[2]]

    def cut(self, code: str = "link-broker-away") -> None:
        """Break the connection: what is under way to the node is lost, and the will is published."""
        if self.carrier is not None:
            carrier, self.carrier = self.carrier, None
            self.wire = [one for one in self.wire if one[2]]
            carrier.broke(code)
            self.publish_will(carrier)

    def publish_will(self, carrier: "FakeCarrier") -> None:
        """Say what the node left to be said."""
        self.is_forgotten = False
        if carrier.will is not None:
            self.wills += 1
            self.accept(carrier.will)


class FakeCarrier:
    """Implements carrier.Carrier over a FakeBroker; waiting lets virtual time pass."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.longest = 86400.0  # seconds that one wait may take, whatever was asked for
        self._inbox: list[Arrived] = []
        self._filters: list[str] = []
        self.will: Outgoing | None = None
        self.window: int | None = None  # how many more messages are taken, None for any number
        self.opened = 0
        self.receives = 0
        self.sent: list[Outgoing] = []

    @property
    def is_open(self) -> bool:
        """Whether this carrier's connection stands."""
        return self._broker.carrier is self

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """See Carrier."""
        self.opened += 1
        self._broker.clock.advance(0.02)
        if self._broker.refuses:
            raise CarrierFailed(self._broker.refuses, "the broker is away, or says no")
        self._broker.carrier, self.will, self._broker.is_forgotten = self, will, False
        self._inbox.clear()
        self._filters.clear()

    def subscribe(self, filters: Sequence[tuple[str, int]], timeout: float = 30.0) -> None:
        """See Carrier."""
        self._check()
        self._filters += [one.removesuffix("#") for one, _ in filters]
        for topic, payload in self._broker.retained.items():
            if self._wants(topic):
                self._inbox.append(Incoming(topic=topic, payload=payload, retained=True))

    def _wants(self, topic: str) -> bool:
        return any(topic.startswith(one) for one in self._filters)

    def send(self, message: Outgoing) -> bool:
        """See Carrier."""
        self._check()
        if self.window is not None:
            if not self.window:
                return False
            self.window -= 1
        self.sent.append(message)
        self._broker.accept(message)
        return True

    def _check(self) -> None:
        if not self.is_open:
            raise CarrierFailed("link-broker-away", "there is no connection")

    def receive(self, timeout: float | None) -> tuple[Arrived, ...]:
        """See Carrier."""
        self.receives += 1
        if not self._inbox:
            wait = self.longest if timeout is None else min(self.longest, timeout)
            self._broker.run(self._broker.clock.monotonic() + wait)
        arrived, self._inbox = tuple(self._inbox), []
        return arrived

    def deliver(self, message: Outgoing) -> bool:
        """Take something from the broker; return whether it was for us."""
        if not self._wants(message.topic):
            return False
        self._inbox.append(Incoming(topic=message.topic, payload=message.payload))
        return True

    def broke(self, code: str) -> None:
        """The connection ended."""
        self._inbox.append(Lost(code=code, detail="the connection broke"))

    def wake(self) -> None:
        """See Carrier; nobody waits in virtual time."""

    def acknowledge(self, incoming: Incoming) -> None:
        """See Carrier."""

    def unsent(self) -> int:
        """See Carrier."""
        return 0

    def close(self, orderly: bool = True) -> None:
        """See Carrier."""
        if self.is_open:
            self._broker.carrier = None
            self._broker.wire = [one for one in self._broker.wire if one[2]]
            if not orderly:
                self._broker.publish_will(self)
