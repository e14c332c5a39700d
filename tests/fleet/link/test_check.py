"""Each message is read and checked on its own: what is malformed, foreign, newer, misplaced or a bomb is refused by name."""

import json
import zlib
from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link import delta, envelope, topics
from archipel_contract.link.carrier import Incoming
from archipel_contract.link.envelope import FRAME_LIMIT, WIRE_LIMIT, Envelope, Frame, Signature, framed
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import (
    DeltaState,
    Event,
    EventKind,
    FullState,
    Gap,
    Hello,
    Metrics,
    NodeState,
    Presence,
)
from archipel_contract.link.topics import Up
from archipel_contract.wire import to_data
from archipel_fleet.link.check import Checker, Passed, Refused
from archipel_fleet.ports import Arrival
from tests.fakes.fleet_intake import NODE, NOW, OTHER, SITE, epoch, hello, message

SHARD = topics.shard_of(SITE, NODE)
STATE = delta.compact(NodeState(node_name="boathouse-1", site_id=SITE))
BODIES = [
    Presence(connected=True, connection=3),
    Hello(site_id=SITE),
    FullState(state=STATE, hash=delta.state_hash(STATE)),
    DeltaState(base="0" * 16, patch={"term": 2}, hash="1" * 16),
    Event(kind=EventKind.NOTE, text="hello"),
    Gap(epoch=7, first=1, last=3),
    Metrics(start=NOW, points=((0.0, 1.5, None),)),
]


def check(incoming: Incoming, checker: Checker | None = None) -> Arrival:
    return (checker or Checker()).check(incoming.topic, incoming.payload, NOW, incoming.retained)


def refused(incoming: Incoming, checker: Checker | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        check(incoming, checker)
    return caught.value


def raw(payload: bytes, channel: Up = Up.EVENT) -> Incoming:
    wire = framed(Frame(payload=payload))
    return Incoming(topic=topics.up(SHARD, NODE, channel), payload=wire)


def event(body: object, **more: object) -> Incoming:
    said = {"v": 1, "t": "event", "e": epoch(Lane.EVENT), "n": 1, "at": NOW, "b": body, **more}
    return raw(json.dumps(said).encode())


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_message_a_node_can_send_is_taken_with_its_body_and_its_exact_bytes(body: object) -> None:
    incoming = message(body)
    arrival = check(incoming)
    assert arrival.body == body
    assert (arrival.node_id, arrival.shard, arrival.received) == (NODE, SHARD, NOW)
    assert arrival.payload == envelope.from_wire(incoming.payload)[0].payload


@pytest.mark.parametrize(
    "topic",
    [
        "archipel/1/00/somebody/up/event",
        "archipel/2/00/n-0000000000000001/up/event",
        "archipel/1/40/n-0000000000000001/up/event",
        "archipel/1/00/n-0000000000000001/up/event/more",
        "archipel/1/00/n-0000000000000001/up/command",
        "archipel/1/00/n-0000000000000001/down/ack",
    ],
)
def test_what_comes_on_a_topic_on_which_no_node_speaks_is_foreign(topic: str) -> None:
    assert refused(replace(message(BODIES[4]), topic=topic)).code == "message-foreign"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "message-foreign"),
        (b"\x00\xff rubbish", "message-foreign"),
        (b'{"temperature": 21}', "message-foreign"),
        (framed(Frame(payload=b"{}", signatures=(Signature("somebody", bytes(64)),))), "message-foreign"),
        (b"A1 unsigned -\n{", "message-malformed"),
        (b"A1 unsigned -\n[1]", "message-malformed"),
        (b'A1 unsigned -\n{"t": "event"}', "message-malformed"),
        (b'A1 unsigned -\n{"t": "event", "at": "now"}', "message-malformed"),
        (b'A1 unsigned -\n{"v": 2, "t": "event", "at": 1}', "message-newer"),
        (b"x\x9c rubbish", "message-malformed"),
        (b"A" * (WIRE_LIMIT + 1), "message-oversized"),
        (zlib.compress(b"A1 unsigned -\n" + b" " * FRAME_LIMIT), "message-oversized"),
        (zlib.compress(b"\0" * (100 << 20), 9), "message-oversized"),
    ],
    ids=[
        "empty", "bytes", "json of others", "signed by others", "half", "list", "no time", "text for a time",
        "newer version", "broken zlib", "too large", "bomb", "large bomb",
    ],
)  # fmt: skip
def test_bytes_that_are_no_message_of_ours_are_refused_by_kind(payload: bytes, code: str) -> None:
    found = refused(Incoming(topic=topics.up(SHARD, NODE, Up.EVENT), payload=payload))
    assert (found.code, found.node_id, found.instead) == (code, NODE, None)


def test_a_message_on_the_channel_of_another_type_is_misplaced() -> None:
    wrong = replace(message(BODIES[4]), topic=topics.up(SHARD, NODE, Up.STATE))
    assert refused(wrong).code == "message-misplaced"


def test_a_hello_on_a_shard_its_site_does_not_belong_to_is_misplaced() -> None:
    other = (SHARD + 1) % topics.SHARDS
    assert refused(replace(hello(), topic=topics.up(other, NODE, Up.HELLO))).code == "message-misplaced"


def test_a_node_that_speaks_on_another_shard_than_its_hello_is_misplaced() -> None:
    checker = Checker()
    check(hello(), checker)
    other = (SHARD + 1) % topics.SHARDS
    found = refused(replace(message(BODIES[4]), topic=topics.up(other, NODE, Up.EVENT)), checker)
    assert (found.code, found.instead) == ("message-misplaced", None)
    assert check(message(BODIES[4]), checker).node_id == NODE
    assert check(message(BODIES[4], OTHER), checker).node_id == OTHER


def test_a_moving_node_clears_its_presence_and_says_it_elsewhere_before_its_hello_and_nothing_is_wrong() -> (
    None
):
    checker = Checker()
    check(hello(), checker)
    cleared = Incoming(topic=topics.up(SHARD, NODE, Up.PRESENCE), payload=b"")
    other = replace(message(BODIES[0]), topic=topics.up((SHARD + 1) % topics.SHARDS, NODE, Up.PRESENCE))
    for one in (cleared, other):
        with pytest.raises(Passed):
            check(one, checker)
    assert refused(replace(cleared, topic=topics.up(SHARD, NODE, Up.EVENT))).code == "message-foreign"


def test_of_more_nodes_than_can_be_remembered_the_one_that_said_hello_longest_ago_is_forgotten() -> None:
    checker = Checker(remembered=2)
    nodes = [f"n-{number:016}" for number in range(3)]
    for node_id in (nodes[0], nodes[1], nodes[0], nodes[2]):
        check(hello(node_id), checker)
    elsewhere = topics.up((SHARD + 1) % topics.SHARDS, nodes[0], Up.EVENT)
    assert (
        refused(replace(message(BODIES[4], nodes[0]), topic=elsewhere), checker).code == "message-misplaced"
    )
    forgotten = topics.up((SHARD + 1) % topics.SHARDS, nodes[1], Up.EVENT)
    assert check(replace(message(BODIES[4], nodes[1]), topic=forgotten), checker).node_id == nodes[1]


def test_a_node_that_moved_to_another_site_says_hello_and_speaks_on_its_new_shard() -> None:
    checker = Checker()
    check(hello(site_id=""), checker)
    check(hello(site_id=SITE), checker)
    assert check(message(BODIES[4]), checker).shard == SHARD


def test_a_state_for_another_site_than_the_hello_named_is_misplaced() -> None:
    checker = Checker()
    check(hello(), checker)
    state = {**STATE, "site_id": "s-0000000000000002"}
    foreign = FullState(state=state, hash=delta.state_hash(state))
    assert refused(message(foreign), checker).code == "message-misplaced"
    assert check(message(BODIES[2]), checker).body == BODIES[2]


def test_a_delta_cannot_move_a_node_to_another_site_either() -> None:
    checker = Checker()
    check(hello(), checker)
    moving = DeltaState(base="0" * 16, patch={"site_id": "s-0000000000000002"}, hash="1" * 16)
    assert refused(message(moving), checker).code == "message-misplaced"


def test_a_state_whose_node_has_not_said_hello_yet_must_at_least_be_on_the_shard_of_its_site() -> None:
    assert check(message(BODIES[2])).body == BODIES[2]
    state = {**STATE, "site_id": "s-0000000000000002"}
    assert refused(message(FullState(state=state, hash="0" * 16))).code == "message-misplaced"


@pytest.mark.parametrize(
    "body",
    [
        {"text": "no kind"},
        {"kind": ["note"]},
        {"kind": "note", "params": {"a": 1}},
        {"kind": "note", "text": "a\0b"},
        {"kind": "note", "text": "\ud800"},
        {"kind": "note", "params": {"\udfff": "x"}},
        {"kind": "note", "more": 1 << 63},
        {"kind": "note", "more": json.loads("[" * 260 + "]" * 260)},
    ],
    ids=["kind missing", "kind no text", "param", "nul", "surrogate", "key", "2^63", "deep"],
)
def test_a_body_that_cannot_be_read_or_stored_is_malformed_and_an_unreadable_event_takes_its_place(
    body: dict[str, object],
) -> None:
    found = refused(event(body))
    assert found.code == "message-malformed"
    instead = found.instead
    assert instead is not None
    assert (instead.envelope.epoch, instead.envelope.sequence) == (epoch(Lane.EVENT), 1)
    assert isinstance(instead.body, Event)
    assert (instead.body.kind, instead.body.subject) == (EventKind.UNKNOWN, "message-malformed")
    assert envelope.envelope_from(instead.payload) == instead.envelope


@pytest.mark.parametrize("number", ["1e999", "-1.5E+4000", "1" + "0" * 400])
def test_a_number_no_database_takes_is_malformed(number: str) -> None:
    point = f'{{"v":1,"t":"metrics","e":{epoch(Lane.METRIC)},"n":1,"at":1,"b":{{"start":1,"points":[[0,{number}]]}}}}'
    found = refused(raw(point.encode(), Up.METRIC))
    assert found.code == "message-malformed"
    assert found.instead is not None


@pytest.mark.parametrize("number", ["NaN", "-Infinity"])
def test_what_python_takes_for_json_and_nobody_else_does_is_malformed(number: str) -> None:
    said = f'{{"v":1,"t":"event","e":{epoch(Lane.EVENT)},"n":1,"at":1,"b":{{"kind":"note","more":{number}}}}}'
    assert refused(raw(said.encode())).code == "message-malformed"


def test_large_numbers_and_long_digits_that_fit_are_taken() -> None:
    body = {"kind": "note", "text": "serial 12345678901234567890 NaN Infinity 1e999", "more": (1 << 63) - 1}
    assert check(event(body)).body.text == body["text"]


def test_a_type_from_a_newer_agent_is_kept_as_an_event_of_unknown_kind() -> None:
    found = refused(event({"anything": 1}, t="of-tomorrow"))
    assert found.code == "message-newer"
    assert found.instead is not None
    assert found.instead.body.kind is EventKind.UNKNOWN


def test_what_newer_agents_add_to_known_messages_is_passed_over() -> None:
    arrival = check(event({"kind": "of-tomorrow", "text": "hello", "colour": "red"}, z=1))
    assert arrival.body == Event(kind=EventKind.UNKNOWN, text="hello")


def test_a_state_that_cannot_be_read_is_refused_and_not_kept() -> None:
    found = refused(message(FullState(state={"conditions": "none"}, hash="0" * 16)))
    assert (found.code, found.instead) == ("message-malformed", None)


@pytest.mark.parametrize("more", [{"n": 0}, {"e": 0}, {"e": epoch(Lane.METRIC)}, {"n": -1}, {"n": 1 << 63}])
def test_a_message_without_its_place_in_its_lane_is_malformed(more: dict[str, int]) -> None:
    assert refused(event({"kind": "note"}, **more)).code == "message-malformed"


def test_only_presence_may_have_been_kept_by_the_broker() -> None:
    assert refused(replace(message(BODIES[4]), retained=True)).code == "message-foreign"
    assert check(replace(message(BODIES[0]), retained=True)).body == BODIES[0]


@pytest.mark.parametrize(
    "wrong", [{"site_id": "boathouse"}, {"site_name": "x" * 257}, {"node_name": "x" * 257}, {"role": []}]
)
def test_a_hello_with_rubbish_for_names_is_malformed(wrong: dict[str, object]) -> None:
    said = Envelope(type="hello", at=NOW, body={**to_data(Hello(site_id=SITE)), **wrong})
    assert refused(raw(envelope.payload(said), Up.HELLO)).code == "message-malformed"


def test_clocks_off_by_decades_are_no_reason_to_refuse() -> None:
    for at in (0, -(10**12), 253_402_300_800_000 * 40):
        assert check(event({"kind": "note"}, at=at)).envelope.at == at


@hypothesis.given(data=st.binary(max_size=400), topic=st.text(max_size=60))
@hypothesis.settings(max_examples=60)
def test_whatever_bytes_come_on_whatever_topic_it_is_refused_and_nothing_else_happens(
    data: bytes, topic: str
) -> None:
    checker = Checker()
    for where in (topic, topics.up(SHARD, NODE, Up.EVENT)):
        with pytest.raises(Refused):
            checker.check(where, data, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@hypothesis.given(
    index=st.integers(0, len(BODIES) - 1),
    name=st.sampled_from(["v", "t", "e", "n", "at", "c", "up", "k", "r", "b"]),
    value=JSON,
)
@hypothesis.settings(max_examples=150)
def test_whatever_one_field_of_a_message_holds_it_is_taken_or_refused(
    index: int, name: str, value: object
) -> None:
    incoming = message(BODIES[index])
    said = json.loads(envelope.from_wire(incoming.payload)[0].payload)
    said[name] = value
    wire = framed(Frame(payload=json.dumps(said).encode()))
    try:
        arrival = Checker().check(incoming.topic, wire, NOW)
    except Refused as found:
        assert found.code.startswith("message-")
    else:
        assert arrival.node_id == NODE
