"""The link of a device that has keys: what it signs, what it heeds, and how orders and results travel over it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_contract.audit import AuditEntries, ChainHead, Entry, appended
from archipel_contract.commands import Outcome, Result
from archipel_contract.facts import ClockQuality
from archipel_contract.link import topics
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.envelope import EnvelopeInvalid, Frame, Signs, frame_to_wire
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import KINDS, Ack, Hello, Kind, Welcome
from archipel_contract.link.topics import Down
from archipel_contract.status import OrdersStatus
from archipel_contract.trust.store import NotTrusted, TrustStore
from archipel_contract.trust_document import TALK
from tests.agent.link.nodes import DIAL_IN, NODE, VirtualNode, report
from tests.fakes.trust import FakeFleet, FakeKeys, said

FLEET = FakeFleet()
KEYS = FakeKeys(FLEET, NODE)


class Keyed:
    """Implements link.identity.LinkIdentity with real keys; remembers what it was asked and told."""

    def __init__(self) -> None:
        self.trust = TrustStore(FLEET.document)
        self.nonces = 0
        self.orders: list[tuple[str, Frame]] = []
        self.refusals: list[tuple[str, str]] = []
        self.counts: list[int] = []
        self.held = 2.0

    def signers(self) -> Sequence[Signs]:
        """See LinkIdentity."""
        return (KEYS.signer,)

    def begin(self) -> None:
        """See LinkIdentity."""
        self.nonces += 1

    @property
    def nonce(self) -> str:
        """Of this connection."""
        return f"nonce-{self.nonces}"

    def complete(self, hello: Hello) -> Hello:
        """See LinkIdentity."""
        return replace(hello, nonce=self.nonce)

    def require(self, kind: Kind, frame: Frame) -> None:
        """See LinkIdentity."""
        if kind.signed or frame.signatures:
            self.trust.require(frame, TALK, None)

    def require_ack(self, ack: Ack, frame: Frame) -> None:
        """See LinkIdentity."""
        if not frame.signatures and {lane_of(one.epoch) for one in ack.acks} & {Lane.RESULT, Lane.EVENT}:
            raise NotTrusted("message-unsigned", "not signed")

    def answered(self, nonce: str, at: int) -> None:
        """See LinkIdentity."""
        if nonce != self.nonce:
            raise NotTrusted("order-not-fresh", "of another connection")

    def audited(self, count: int) -> None:
        """See LinkIdentity."""
        self.counts.append(count)

    def ordered(self, kind: Kind, frame: Frame) -> None:
        """See LinkIdentity."""
        self.orders.append((kind.name, frame))
        if not frame.signatures:
            raise EnvelopeInvalid("message-unsigned", "not signed")

    def refused(self, kind: str, code: str, detail: str) -> None:
        """See LinkIdentity."""
        self.refusals.append((kind, code))

    def status(self) -> OrdersStatus:
        """See LinkIdentity."""
        return OrdersStatus(heeded=True, veto=("kubectl",))

    def lingers(self) -> float:
        """See LinkIdentity."""
        return self.held


@pytest.fixture
def identity() -> Keyed:
    return Keyed()


@pytest.fixture
def node(tmp_path: Path, identity: Keyed) -> VirtualNode:
    made = VirtualNode(tmp_path, identity=identity)
    made.controller.signers = [FLEET.controller]
    made.start()
    return made


def publish(node: VirtualNode, channel: Down, payload: bytes) -> None:
    """Have the broker say something to the node on one of its topics."""
    topic = topics.down(topics.shard_of("", NODE), NODE, channel)
    node.broker.publish(Outgoing(topic=topic, payload=payload))


def result(text: str = "", data: str = "") -> Result:
    """Return a result that can be recognised."""
    return Result(command="c-0000000000000001", outcome=Outcome.DONE, text=text, data=data)


def entry() -> AuditEntries:
    """Return one entry of the journal."""
    made = Entry(number=0, at=1, clock=ClockQuality.SYNCHRONIZED, actor="local:anna", action="job:up")
    return AuditEntries(entries=(appended(ChainHead(), made),))


def test_hello_results_and_audit_are_signed_by_the_device_and_nothing_else_is(node: VirtualNode) -> None:
    node.tell("a")
    node.link.say(result())
    node.link.say(entry())
    node.run(60, turns=10)
    by_type = {
        envelope.type: frame
        for envelope, frame in zip(node.controller.heard, node.controller.frames, strict=True)
    }
    assert {"hello", "presence", "full", "event", "result", "audit"} <= set(by_type)
    for name, frame in by_type.items():
        assert bool(frame.signatures) == KINDS[name].signed, name
        for signature in frame.signatures:
            KEYS.signer.public.verify(frame.payload, signature.value)


def test_a_hello_leaves_out_what_has_its_default(node: VirtualNode) -> None:
    node.run(30)
    said_fields = next(one.body for one in node.controller.heard if one.type == "hello")
    assert "veto" not in said_fields and "trust" not in said_fields and "rehearsed" not in said_fields
    assert said_fields["nonce"] == "nonce-1"


def test_a_welcome_nobody_signed_is_not_heeded_and_says_so(node: VirtualNode, identity: Keyed) -> None:
    node.controller.is_listening = False
    node.run(31)
    publish(node, Down.WELCOME, frame_to_wire(said(Welcome(incarnation="mine", nonce=identity.nonce))))
    node.run(1)
    assert not node.link._core.is_welcome
    assert identity.refusals == [("welcome", "message-unsigned")]


def test_a_welcome_of_an_earlier_connection_is_not_heeded(node: VirtualNode, identity: Keyed) -> None:
    node.controller.is_listening = False
    node.run(31)
    old = Welcome(incarnation="mine", nonce="nonce-0")
    publish(node, Down.WELCOME, frame_to_wire(said(old, [FLEET.controller])))
    node.run(1)
    assert not node.link._core.is_welcome
    assert identity.refusals == [("welcome", "order-not-fresh")]


def test_events_and_results_are_let_go_of_only_at_a_signed_word(node: VirtualNode, identity: Keyed) -> None:
    node.run(60)
    node.controller.signs_acks = False
    node.tell("a")
    node.link.say(result())
    node.run(5)
    assert "a" in node.controller.texts() and len(node.controller.results) == 1
    assert node.link.status().waiting == 2
    assert set(identity.refusals) == {("ack", "message-unsigned")}
    node.controller.signs_acks = True
    node.run(120)
    assert node.link.status().waiting == 0


def test_orders_arrive_exactly_as_they_were_signed(node: VirtualNode, identity: Keyed) -> None:
    node.run(60)
    command = FLEET.command(NODE, 0)
    document = FLEET.site_document("s-0000000000000000", 1)
    node.controller.say(NODE, "command", command)
    node.controller.say(NODE, "document", document)
    node.run(5)
    assert identity.orders == [("command", command), ("document", document)]


def test_what_is_refused_ends_neither_connection_nor_thread(node: VirtualNode, identity: Keyed) -> None:
    node.run(60)
    connections = node.carrier.opened
    for payload in (
        b"",
        b"rubbish",
        b"A1 unsigned -\n",
        b"A1 k-1,k-2 YQ==\n{}",
        b"x" * 200_000,
        bytes(range(256)),
    ):
        for channel in Down:
            publish(node, channel, payload)
    publish(node, Down.ASK, frame_to_wire(said(Welcome(incarnation="i"), [FLEET.controller])))
    publish(node, Down.COMMAND, frame_to_wire(FLEET.command(NODE, 0, signers=[])))
    node.run(30)
    assert ("command", "message-unsigned") in identity.refusals
    assert ("ask", "message-foreign") in identity.refusals
    assert len(identity.refusals) == 6 * len(Down) + 2
    assert node.carrier.opened == connections
    assert node.link._core.is_welcome


def test_every_connection_begins_anew(node: VirtualNode, identity: Keyed) -> None:
    node.run(60)
    node.broker.cut()
    node.run(60)
    assert identity.nonces == node.carrier.opened == 2
    assert [one.nonce for one in node.controller.hellos] == ["nonce-1", "nonce-2"]
    assert identity.counts == [0, 0]


def test_results_are_kept_until_they_are_acknowledged_across_restarts(node: VirtualNode) -> None:
    node.run(60)
    node.controller.is_acknowledging = False
    assert node.link.say(result("first"))
    node.run(5)
    node.kill()
    node.controller.is_acknowledging = True
    node.start()
    node.run(60)
    assert {one.text for one in node.controller.results} == {"first"}
    assert node.link.status().waiting == 0


def test_a_full_lane_takes_no_more_results_and_drops_none(node: VirtualNode) -> None:
    node.controller.go()
    large = "x" * (48 << 10)
    taken = 0
    while node.link.say(result(str(taken), large)):
        taken += 1
    waiting, room = node.link.results()
    assert taken > 100 and room < len(large) < waiting
    node.controller.come()
    node.run(600)
    assert sorted(int(one.text) for one in node.controller.results) == list(range(taken))
    assert node.link.results()[0] == 0


def test_a_node_that_dials_in_calls_at_once_when_there_is_a_result(tmp_path: Path, identity: Keyed) -> None:
    node = VirtualNode(tmp_path, plan=DIAL_IN, identity=identity)
    node.controller.signers = [FLEET.controller]
    node.start()
    node.run(7200)
    assert node.link.say(result())
    node.run(30)
    assert len(node.controller.results) == 1


def _until(node: VirtualNode, holds: Callable[[], bool]) -> None:
    while not holds():
        node.run(0.5)


@pytest.mark.parametrize(("held", "least", "most"), [(2.0, 2.0, 4.0), (3600.0, 59.0, 62.0)])
def test_a_call_is_held_for_orders_and_results_and_not_for_ever(
    tmp_path: Path, identity: Keyed, held: float, least: float, most: float
) -> None:
    node = VirtualNode(tmp_path, plan=DIAL_IN, identity=identity)
    node.controller.signers = [FLEET.controller]
    identity.held = held
    node.start()
    _until(node, lambda: node.carrier.is_open)
    began = node.clock.monotonic()
    _until(node, lambda: not node.carrier.is_open)
    assert least <= node.clock.monotonic() - began <= most


def test_the_status_says_what_is_heeded_and_what_is_not(node: VirtualNode) -> None:
    assert node.link.status().orders == OrdersStatus(heeded=True, veto=("kubectl",))


def test_a_node_without_keys_heeds_no_orders_and_signs_nothing(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path)
    node.start()
    node.run(60)
    node.controller.say(NODE, "command", FLEET.command(NODE, 0))
    node.run(60)
    assert node.link._core.is_welcome
    assert all(not frame.signatures for frame in node.controller.frames)
    assert node.link.status().orders == OrdersStatus()
    assert report().link.orders == OrdersStatus()
