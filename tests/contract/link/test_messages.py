"""The bodies: each travels and comes out the same, old and new programs understand each other, and the table is whole."""

import json
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link import topics
from archipel_contract.link.delta import compact
from archipel_contract.link.envelope import Envelope, from_wire, to_wire
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import (
    KINDS,
    METRIC_NAMES,
    TYPE_OF,
    Ack,
    Ask,
    EpochAck,
    Event,
    EventKind,
    Hello,
    Kind,
    Metrics,
    NodeState,
    Presence,
    Wanted,
)
from archipel_contract.link.topics import Down, Up
from archipel_contract.wire import WireError, from_data
from tests.contract.link.bodies import anything

NODE = "n-0123456789abcdef"
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)


@kinds
@hypothesis.settings(max_examples=25)
@hypothesis.given(data=st.data())
def test_every_body_comes_out_of_an_envelope_as_it_went_in(kind: Kind, data: st.DataObject) -> None:
    body = data.draw(anything(kind.body))
    _, read = from_wire(to_wire(Envelope(type=kind.name, at=1, body=compact(body))))
    assert from_data(KINDS[read.type].body, read.body) == body


@hypothesis.settings(max_examples=25)
@hypothesis.given(anything(NodeState))
def test_every_state_comes_out_of_its_compact_form(state: NodeState) -> None:
    assert from_data(NodeState, json.loads(json.dumps(compact(state)))) == state


@kinds
@hypothesis.settings(max_examples=25)
@hypothesis.given(data=st.data())
def test_fields_of_a_later_program_are_skipped_in_every_body(kind: Kind, data: st.DataObject) -> None:
    body = data.draw(anything(kind.body))
    assert from_data(kind.body, {**compact(body), "of-next-year": {"a": [1]}}) == body


@kinds
@hypothesis.settings(max_examples=25)
@hypothesis.given(
    garbage=st.dictionaries(
        st.sampled_from(["state", "patch", "acks", "epochs", "points", "kind"]), anything(Any)
    )
)
def test_a_body_of_the_wrong_shape_is_refused_and_never_breaks(kind: Kind, garbage: dict[str, Any]) -> None:
    try:
        from_data(kind.body, garbage)
    except WireError as refusal:
        assert str(refusal)


def test_kinds_have_names_of_their_own_bodies_of_their_own_and_a_topic() -> None:
    assert all(name == kind.name for name, kind in KINDS.items())
    assert len(TYPE_OF) == len(KINDS)
    for kind in KINDS.values():
        build = topics.up if isinstance(kind.channel, Up) else topics.down
        assert topics.parse(build(0, NODE, kind.channel)).channel == kind.channel  # type: ignore[arg-type] # as above


def test_every_channel_and_every_lane_has_a_kind() -> None:
    assert {kind.channel for kind in KINDS.values()} == {*Up, *Down}
    assert {kind.lane for kind in KINDS.values()} == {*Lane, None}


def test_only_presence_is_retained_and_only_what_goes_up_is_sequenced() -> None:
    assert [kind.name for kind in KINDS.values() if kind.retained] == ["presence"]
    assert all(isinstance(kind.channel, Up) for kind in KINDS.values() if kind.lane is not None)
    assert all(kind.qos in (0, 1) for kind in KINDS.values())


def test_what_a_newer_program_says_is_understood_as_far_as_it_can_be() -> None:
    assert from_data(Event, {"kind": "volcano", "subject": "x"}).kind is EventKind.UNKNOWN
    assert from_data(Ask, {"wanted": "everything"}).wanted is Wanted.UNKNOWN
    assert from_data(Hello, {}) == Hello()


def test_points_hold_a_value_or_nothing_for_each_name() -> None:
    point = (0, 12.5, None, 512, 8000, None)
    assert len(point) == 1 + len(METRIC_NAMES)
    body = compact(Metrics(start=1_760_000_000, points=(point,)))
    assert json.loads(json.dumps(body)) == {
        "start": 1_760_000_000,
        "points": [[0, 12.5, None, 512, 8000, None]],
    }


def test_small_messages_stay_small() -> None:
    # What a metered link carries all day; a figure here is a promise.
    assert (
        len(
            to_wire(
                Envelope(
                    type="presence",
                    at=1_760_000_000_000,
                    body=compact(Presence(connected=True, connection=99)),
                )
            )
        )
        < 100
    )
    ack = Ack(
        acks=(
            EpochAck(epoch=7 << 20, upto=1000),
            EpochAck(epoch=7 << 20 | 1 << 18, upto=50, also=((52, 60),)),
        )
    )
    assert len(to_wire(Envelope(type="ack", at=1_760_000_000_000, body=compact(ack)))) < 150
