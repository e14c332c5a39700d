"""A link with identities: what must be signed from below, what is signed from above, and what is sent after a hello."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

import pytest

from archipel_contract.audit import AuditEntries
from archipel_contract.commands import Outcome, Result
from archipel_contract.link import envelope, topics
from archipel_contract.link.carrier import Incoming, Outgoing
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import (
    Ack,
    EpochAck,
    Event,
    EventKind,
    Gap,
    Hello,
    Metrics,
    Presence,
    Welcome,
)
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.wire import from_data
from archipel_fleet.device_records import DeviceState
from archipel_fleet.link.answers import ack_wire
from archipel_fleet.link.check import Checker, Refused
from archipel_fleet.link.ingest import Ingest
from archipel_fleet.link.senders import Senders
from archipel_fleet.link.surroundings import Identity
from tests.fakes.fleet_intake import NODE, NOW, OTHER, SITE, epoch, message
from tests.fakes.fleet_keys import FakeKeys, device, signer
from tests.fakes.fleet_registry import FakeRegistry
from tests.fleet.link.conftest import World

HELLO = Hello(site_id=SITE, node_name="boathouse-1", connection=1, nonce="once")
RESULT = Result(command="c-0000000000000001", outcome=Outcome.DONE)
MUST = [HELLO, RESULT, AuditEntries(entries=()), Gap(epoch=7, first=1, last=3)]
NEED_NOT = [
    Presence(connected=True, connection=1),
    Event(kind=EventKind.NOTE, text="hello"),
    Metrics(start=NOW, points=()),
]


def signed(body: object, *signers: SoftwareSigner, node_id: str = NODE) -> Incoming:
    """A message, its frame signed."""
    plain = message(body, node_id)
    frame = envelope.frame_in(plain.payload)
    made = tuple(envelope.Signature(one.key_id, one.sign(frame.payload)) for one in signers)
    return replace(plain, payload=envelope.frame_to_wire(replace(frame, signatures=made)))


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry({NODE: (device(1).public,), OTHER: (device(2).public,)})


@pytest.fixture
def checker(registry: FakeRegistry) -> Checker:
    return Checker(Senders(registry))


def refused(checker: Checker, incoming: Incoming) -> Refused:
    with pytest.raises(Refused) as caught:
        checker.check(incoming.topic, incoming.payload, NOW, incoming.retained)
    return caught.value


@pytest.mark.parametrize("body", MUST, ids=lambda one: type(one).__name__)
def test_what_counts_as_the_nodes_word_needs_its_signature(checker: Checker, body: object) -> None:
    incoming = signed(body, device(1))
    arrival = checker.check(incoming.topic, incoming.payload, NOW)
    assert (arrival.body, arrival.signed_by) == (body, device(1).key_id)
    found = refused(checker, message(body))
    assert (found.code, found.instead) == ("message-unsigned", None)


@pytest.mark.parametrize("body", NEED_NOT, ids=lambda one: type(one).__name__)
def test_what_is_only_told_needs_none_but_a_wrong_one_is_refused(checker: Checker, body: object) -> None:
    incoming = message(body)
    assert checker.check(incoming.topic, incoming.payload, NOW).signed_by == ""
    assert refused(checker, signed(body, device(2))).code == "message-untrusted"


def test_a_signature_of_another_device_of_a_stranger_or_of_two_is_not_trusted(checker: Checker) -> None:
    for signers in ((device(2),), (device(3),), (device(1), device(2)), (signer("controller"),)):
        found = refused(checker, signed(HELLO, *signers))
        assert (found.code, found.instead) == ("message-untrusted", None)
    assert refused(checker, signed(HELLO, device(1), node_id=OTHER)).code == "message-untrusted"


def test_one_changed_byte_is_a_forgery_and_nothing_is_committed_in_its_place(checker: Checker) -> None:
    incoming = signed(RESULT, device(1))
    frame = envelope.frame_in(incoming.payload)
    changed = frame.payload.replace(b'"done"', b'"fail"')
    assert changed != frame.payload
    forged = replace(incoming, payload=envelope.frame_to_wire(replace(frame, payload=changed)))
    found = refused(checker, forged)
    assert (found.code, found.instead) == ("message-forged", None)


def test_a_revoked_and_an_unknown_device_are_told_apart(checker: Checker, registry: FakeRegistry) -> None:
    registry.states[NODE] = DeviceState.REVOKED
    assert refused(checker, signed(HELLO, device(1))).code == "message-revoked"
    registry.states[NODE] = DeviceState.DECOMMISSIONED
    assert refused(checker, signed(HELLO, device(1))).code == "message-untrusted"
    del registry.known[NODE]
    assert refused(checker, signed(HELLO, device(1))).code == "message-untrusted"


def test_a_message_of_a_kind_nobody_knows_takes_no_place_among_results(checker: Checker) -> None:
    said = {"v": 1, "t": "of-tomorrow", "e": epoch(Lane.RESULT), "n": 1, "at": NOW, "b": {}}
    payload = envelope.framed(envelope.Frame(payload=json.dumps(said).encode()))
    topic = topics.up(topics.shard_of(SITE, NODE), NODE, topics.Up.RESULT)
    found = refused(checker, Incoming(topic=topic, payload=payload))
    assert (found.code, found.instead) == ("message-unsigned", None)


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lanes", "is_signed"),
    [
        ((Lane.METRIC, Lane.STATE), False),
        ((Lane.METRIC, Lane.EVENT), True),
        ((Lane.RESULT,), True),
    ],
)
def test_an_acknowledgement_is_signed_where_it_lets_go_of_results_or_events(
    lanes: tuple[Lane, ...], is_signed: bool
) -> None:
    acks = tuple(EpochAck(epoch=epoch(lane), upto=3) for lane in lanes)
    frame, read = envelope.from_wire(ack_wire(acks, NOW, signer("controller")), lambda _: None)
    assert from_data(Ack, read.body) == Ack(acks=acks)
    assert bool(frame.signatures) == is_signed
    if is_signed:
        FakeKeys().trust.require(frame, "talk", NOW)


@dataclass
class PlannedDownlink:
    """Implements Downlink: says one command to each node asked for."""

    rung: set[str] = field(default_factory=set)
    asked: list[frozenset[str]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def waiting(self) -> frozenset[str]:
        """See Downlink."""
        rung, self.rung = frozenset(self.rung), set()
        return rung

    def again(self, node_ids: Collection[str]) -> None:
        """See Downlink."""
        self.missed += node_ids

    def messages(self, node_ids: Collection[str], now: int) -> Iterator[tuple[str, Outgoing]]:
        """See Downlink."""
        self.asked.append(frozenset(node_ids))
        for one in sorted(node_ids):
            yield one, Outgoing(topic=topics.down(5, one, topics.Down.COMMAND), payload=b"order", qos=1)

    def turn(self, now: int) -> frozenset[str]:
        """See Downlink."""
        return frozenset()


@dataclass
class Guarded:
    """An ingest with identities."""

    world: World
    registry: FakeRegistry
    keys: FakeKeys = field(default_factory=FakeKeys)
    downlink: PlannedDownlink = field(default_factory=PlannedDownlink)

    def __post_init__(self) -> None:
        """Put it together."""
        identity = Identity(keys=self.keys, devices=self.registry, downlink=self.downlink)
        self.world.around = replace(self.world.around, identity=identity)
        self.world.ingest = Ingest(self.world.around)

    def hears(self, *incoming: Incoming) -> list[Outgoing]:
        """Have it take these in; return what it said then, without its own presence."""
        self.world.broker.inbox += incoming
        self.world.time.ended = False
        self.world.run_for(0.5)
        return [one for one in self.world.broker.sent if "/down/" in one.topic]


@pytest.fixture
def guarded(world: World, registry: FakeRegistry) -> Guarded:
    return Guarded(world, registry)


def test_a_signed_hello_gets_a_signed_welcome_and_what_waits_for_the_node(guarded: Guarded) -> None:
    said = guarded.hears(signed(HELLO, device(1)))
    assert [one.topic.rpartition("/")[2] for one in said] == ["welcome", "command"]
    frame, read = envelope.from_wire(said[0].payload, lambda _: None)
    guarded.keys.trust.require(frame, "talk", NOW)
    assert from_data(Welcome, read.body).trust == 1
    assert guarded.downlink.asked == [{NODE}]
    assert guarded.registry.heard == [(NODE, device(1).key_id, SITE)]


def test_an_unsigned_hello_gets_no_answer_a_finding_of_the_node_and_one_line_in_its_timeline(
    guarded: Guarded,
) -> None:
    assert guarded.hears(*[message(HELLO)] * 5, signed(HELLO, device(3))) == []
    assert guarded.downlink.asked == []
    world = guarded.world
    assert world.count("archipel_fleet_messages_refused_total", reason="message-unsigned") == 5
    about = world.notices.about(NODE, world.time.now())
    assert [row.finding.code for row in about] == ["fleet-sender-unproven"]
    assert about[0].finding.params["count"] == "6"
    assert [(one.node_id, one.code) for one in world.store.notes] == [(NODE, "fleet-sender-unproven")] * 2


def test_a_flood_in_many_names_writes_a_bounded_number_of_lines(guarded: Guarded) -> None:
    flood = [message(HELLO, f"n-{number:016d}", "") for number in range(500)]
    guarded.hears(*(replace(one, topic=one.topic) for one in flood))
    assert len(guarded.world.store.notes) == 200


def test_while_the_registry_cannot_be_asked_a_message_waits(guarded: Guarded) -> None:
    guarded.registry.failing = "fleet-database-away"

    def back() -> None:
        guarded.registry.failing = ""

    guarded.world.time.after(0.2, back)
    said = guarded.hears(signed(HELLO, device(1)))
    assert [one.topic.rpartition("/")[2] for one in said] == ["welcome", "command"]


def test_an_order_reaches_a_node_that_says_nothing_and_what_cannot_leave_is_kept(guarded: Guarded) -> None:
    guarded.downlink.rung.add(NODE)
    assert len(guarded.hears()) == 1
    guarded.world.broker.full = True
    guarded.downlink.rung.add(OTHER)
    guarded.hears()
    assert guarded.downlink.missed == [OTHER]
