"""Acknowledgements of samples wait as long as the node does, and no longer; nothing else waits."""

from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import Envelope
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.link.messages import EpochAck, Hello, LinkPlan, Welcome
from archipel_contract.status import LinkMode
from archipel_fleet.link.patience import SHARE, Patience
from archipel_fleet.ports import Arrival, Taken

NODE = "n-0123456789abcdef"
SHARDS = {NODE: 7}
EPOCHS = {lane: new_epoch(3, lane, lambda count: b"\x01" * count) for lane in Lane}


def hello(plan: LinkPlan) -> Arrival:
    envelope = Envelope(type="hello", at=0, clock=ClockQuality.SYNCHRONIZED)
    return Arrival(node_id=NODE, shard=7, received=0, envelope=envelope, body=Hello(plan=plan), payload=b"{}")


def patient(patience: int = 3600, mode: LinkMode = LinkMode.ALWAYS_ON) -> Patience:
    one = Patience()
    one.heard([hello(LinkPlan(mode=mode, patience=patience))])
    return one


def ack(upto: int, lane: Lane = Lane.METRIC) -> Taken:
    return Taken(acks={NODE: (EpochAck(epoch=EPOCHS[lane], upto=upto),)})


def test_samples_are_acknowledged_once_for_all_before_the_patience_is_over() -> None:
    one = patient()
    for upto in (1, 2, 3):
        assert one.sorted(ack(upto), SHARDS, 300.0 * upto).acks == {}
    assert one.due(300.0 + SHARE * 3600 - 1)[0].acks == {}
    taken, shards = one.due(300.0 + SHARE * 3600)
    assert taken.acks == ack(3).acks and shards == SHARDS
    assert one.due(1e9)[0].acks == {}


def test_what_waited_goes_along_with_the_next_answer() -> None:
    one = patient()
    one.sorted(ack(4), SHARDS, 0.0)
    said = one.sorted(ack(9, Lane.EVENT), SHARDS, 1.0).acks[NODE]
    assert {(each.epoch, each.upto) for each in said} == {(EPOCHS[Lane.METRIC], 4), (EPOCHS[Lane.EVENT], 9)}
    assert one.due(1e9)[0].acks == {}


def test_a_node_that_is_welcomed_is_answered_in_full() -> None:
    one = patient()
    taken = Taken(acks=ack(4).acks, welcomes={NODE: Welcome(incarnation="i")})
    assert one.sorted(taken, SHARDS, 0.0).acks == ack(4).acks


def test_a_node_that_asked_for_no_patience_or_dials_in_is_answered_at_once() -> None:
    for one in (patient(0), patient(3600, LinkMode.DIAL_IN), Patience()):
        assert one.sorted(ack(1), SHARDS, 0.0).acks == ack(1).acks


def test_after_a_new_connection_nothing_of_the_old_one_is_said() -> None:
    one = patient()
    one.sorted(ack(4), SHARDS, 0.0)
    one.heard([hello(LinkPlan(patience=3600))])
    assert one.due(1e9)[0].acks == {}


def test_patience_beyond_a_day_is_not_believed() -> None:
    one = patient(10**9)
    one.sorted(ack(4), SHARDS, 0.0)
    assert one.due(SHARE * 86_400)[0].acks == ack(4).acks
