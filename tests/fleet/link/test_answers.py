"""Answers go to the node's own topics, and those put together by hand say what the contract's types say."""

from dataclasses import replace

import hypothesis
import hypothesis.strategies as st

from archipel_contract.link import envelope, topics
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.link.messages import Ack, Ask, EpochAck, Wanted, Welcome
from archipel_contract.trust.keys import SoftwareSigner, new_fleet_key
from archipel_contract.wire import from_data, to_data
from archipel_fleet.link.answers import ack_wire, answers, wire
from archipel_fleet.ports import Taken
from tests.fakes.fleet_intake import NODE, NOW, OTHER

NUMBERS = st.integers(0, (1 << 53) - 1)
ACKS = st.builds(
    EpochAck, epoch=NUMBERS, upto=NUMBERS, also=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4).map(tuple)
)


@hypothesis.given(acks=st.lists(ACKS, min_size=1, max_size=4).map(tuple))
@hypothesis.settings(max_examples=50)
def test_an_acknowledgement_made_by_hand_reads_as_the_one_made_by_the_contract(
    acks: tuple[EpochAck, ...],
) -> None:
    _, by_hand = envelope.from_wire(ack_wire(acks, NOW))
    _, by_type = envelope.from_wire(wire(Ack(acks=acks), NOW))
    assert replace(by_hand, body={}) == replace(by_type, body={})
    assert from_data(Ack, by_hand.body) == from_data(Ack, by_type.body) == Ack(acks=acks)


def test_welcome_comes_before_acknowledgement_and_each_to_its_node_and_shard() -> None:
    taken = Taken(
        acks={NODE: (EpochAck(epoch=1, upto=2),)},
        welcomes={NODE: Welcome(incarnation="life-1"), OTHER: Welcome(incarnation="life-1")},
        asks={OTHER: Ask(wanted=Wanted.FULL, why="another base")},
    )
    said = list(answers(taken, {NODE: 5, OTHER: 63}, NOW))
    assert [one.topic for one in said] == [
        topics.down(5, NODE, topics.Down.WELCOME),
        topics.down(63, OTHER, topics.Down.WELCOME),
        topics.down(5, NODE, topics.Down.ACK),
        topics.down(63, OTHER, topics.Down.ASK),
    ]
    assert all((one.qos, one.retained) == (0, False) for one in said)
    assert envelope.from_wire(said[-1].payload)[1].body == to_data(taken.asks[OTHER])


def test_nothing_is_said_to_a_node_whose_shard_is_not_known_or_that_has_nothing_acknowledged() -> None:
    taken = Taken(acks={NODE: (), OTHER: (EpochAck(epoch=1),)}, welcomes={OTHER: Welcome(incarnation="x")})
    assert list(answers(taken, {NODE: 1}, NOW)) == []


def test_an_acknowledgement_that_lets_go_of_events_is_signed_and_names_its_node() -> None:
    signer = SoftwareSigner(new_fleet_key())
    event, sample = (new_epoch(3, lane, lambda count: bytes(count)) for lane in (Lane.EVENT, Lane.METRIC))
    frame, read = envelope.from_wire(
        ack_wire((EpochAck(epoch=event),), NOW, signer, NODE), lambda frame: None
    )
    signer.public.verify(frame.payload, frame.signatures[0].value)
    assert from_data(Ack, read.body) == Ack(acks=(EpochAck(epoch=event),), node=NODE)
    frame, _ = envelope.from_wire(ack_wire((EpochAck(epoch=sample),), NOW, signer, NODE))
    assert frame.signatures == ()
