"""What is said when: hello, states, results, events and samples; windows, repetitions, and what is heard from above."""

from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.link.engine import Budget
from archipel_contract.link import topics
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.delta import state_hash
from archipel_contract.link.envelope import Envelope, to_wire
from archipel_contract.link.messages import (
    TYPE_OF,
    Ack,
    EpochAck,
    EventKind,
    GapReason,
    LinkPlan,
    Wanted,
    Welcome,
)
from archipel_contract.link.topics import Address, Down
from archipel_contract.status import Health, LinkState
from archipel_contract.wire import to_data
from tests.agent.link.nodes import NODE, SITE, VirtualNode, other, report

QUIET = 3600.0


@pytest.fixture
def node(tmp_path: Path) -> VirtualNode:
    """A node that is connected and has said everything."""
    one = VirtualNode(tmp_path)
    one.start()
    one.run(60.0)
    assert one.link.status().state is LinkState.CONNECTED
    return one


def types(node: VirtualNode, since: int = 0) -> list[str]:
    """The types of what the controller heard, in order."""
    return [one.type for one in node.controller.heard[since:]]


def place() -> Address:
    """Where the node is spoken to."""
    return Address(topics.shard_of("", NODE), NODE, Down.ASK)


def say(node: VirtualNode, body: object, channel: Down) -> None:
    """Have the controller say something to the node."""
    payload = to_wire(Envelope(type=TYPE_OF[type(body)], at=0, body=to_data(body)))
    node.broker.publish(Outgoing(topic=topics.down(place().shard, NODE, channel), payload=payload))


def test_a_connection_begins_with_presence_and_hello_then_the_state_then_what_happened(
    node: VirtualNode,
) -> None:
    assert types(node)[:4] == ["presence", "hello", "full", "event"]
    hello = node.controller.hellos[0]
    assert hello.connection == node.controller.presences[0].connection == 1
    assert set(hello.epochs) == {"0", "1", "2", "3"}
    assert hello.state_hash and hello.waiting == {"1": 3}


def test_nothing_but_hello_is_said_until_the_controller_answers_ever_less_often(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path)
    node.controller.is_listening = False
    node.start()
    node.run(120.0)
    sent = [one.topic.rpartition("/")[2] for one in node.carrier.sent]
    assert set(sent) == {"presence", "hello"}
    assert 3 <= sent.count("hello") <= 6
    assert node.link.status().state is LinkState.UNANSWERED


def test_a_connection_on_which_nobody_ever_answers_is_given_up_and_made_anew(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path)
    node.controller.is_listening = False
    node.start()
    node.run(900.0)
    assert 2 <= node.carrier.opened <= 12


def test_a_controller_that_said_it_is_away_is_waited_for_and_greeted_when_it_is_back(
    node: VirtualNode,
) -> None:
    node.controller.go()
    node.run(600.0, turns=10.0)
    hellos = len(node.controller.hellos)
    node.tell("meanwhile")
    node.run(600.0, turns=10.0)
    assert node.carrier.opened == 1, "the connection itself is well"
    assert [one.topic.rpartition("/")[2] for one in node.carrier.sent[-2:]] != ["event"]
    node.controller.spread = 20.0
    node.controller.come()
    node.run(25.0)
    assert len(node.controller.hellos) == hellos + 1
    assert "meanwhile" in node.controller.texts()


@pytest.mark.parametrize("spread", [-1e300, 1e300])
def test_no_spread_that_a_controller_asks_for_keeps_a_node_silent(node: VirtualNode, spread: float) -> None:
    hellos = len(node.controller.hellos)
    node.controller.spread = spread
    node.controller.go()
    node.controller.come()
    node.run(3700.0, turns=600.0)
    assert len(node.controller.hellos) == hellos + 1


def test_a_change_travels_as_the_difference_to_what_was_acknowledged(node: VirtualNode) -> None:
    before = len(node.controller.heard)
    node.turn(report(hostname="renamed"))
    node.run(5.0)
    assert types(node, before) == ["delta"]
    assert node.controller.records.state["facts"]["hostname"] == "renamed"


def test_samples_say_which_state_still_holds_once_the_hello_is_a_while_ago(node: VirtualNode) -> None:
    node.run(900.0, turns=10.0)
    said = [one.body for one in node.controller.heard if one.type == "metrics"]
    assert len(said) >= 2
    assert {one["state"] for one in said} == {state_hash(node.controller.records.state)}


def test_a_node_with_many_points_vouches_for_its_state_within_seconds_of_its_hello(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path, plan=LinkPlan(every=5, metrics_every=5))
    node.start()
    node.run(40.0, turns=2.0)
    before = len(node.controller.heard)
    node.run(15.0, turns=2.0)
    said = [one for one in node.controller.heard[before:] if one.type == "metrics"]
    assert len(said) >= 2
    assert {one.body.get("state") for one in said} == {state_hash(node.controller.records.state)}


def test_samples_do_not_vouch_for_a_state_that_is_still_under_way(node: VirtualNode) -> None:
    node.run(400.0, turns=10.0)
    node.controller.is_acknowledging = False
    node.turn(report(hostname="renamed"))
    before = len(node.controller.heard)
    node.run(400.0)
    assert not any("state" in one.body for one in node.controller.heard[before:] if one.type == "metrics")


def test_a_report_with_nothing_new_but_samples_says_nothing_and_wakes_nobody(node: VirtualNode) -> None:
    before = len(node.controller.heard)
    for _ in range(20):
        node.turn(replace(node.report, at="2026-11-22T07:00:10Z", sentence="the same"))
    assert node.run(200.0) <= 2
    assert types(node, before) == []


def test_of_many_changes_while_one_is_under_way_only_the_newest_is_sent(node: VirtualNode) -> None:
    node.controller.is_acknowledging = False
    before = len(node.controller.heard)
    for number in range(10):
        node.turn(report(hostname=f"name-{number}"))
        node.run(0.5)
    assert types(node, before) == ["delta"]
    node.controller.is_acknowledging = True
    node.run(60.0)
    assert node.controller.records.state["facts"]["hostname"] == "name-9"
    full = node.controller.heard[-1]
    assert (full.type, full.replaces) == ("full", (2,)), "what became of the delta is not known"


def test_a_controller_that_holds_something_else_asks_and_gets_the_whole_state(node: VirtualNode) -> None:
    node.controller.records.state = {"facts": {"hostname": "somebody else"}}
    before = len(node.controller.heard)
    node.turn(report(hostname="renamed"))
    node.run(30.0)
    assert types(node, before) == ["delta", "full"]
    assert node.controller.records.state["facts"]["hostname"] == "renamed"


def test_a_controller_that_asks_all_the_time_gets_the_whole_state_now_and_then(node: VirtualNode) -> None:
    before = len(node.controller.heard)
    for _ in range(200):
        node.controller.ask(place(), Wanted.FULL)
        node.run(0.1)
    assert 2 <= types(node, before).count("full") <= 6


def test_the_whole_state_is_sent_twice_a_day_in_any_case(node: VirtualNode) -> None:
    before = len(node.controller.heard)
    node.run(26 * QUIET, turns=600.0)
    assert types(node, before).count("full") == 2


def test_after_a_new_connection_the_state_is_not_said_again_to_a_controller_that_holds_it(
    node: VirtualNode,
) -> None:
    before = len(node.controller.heard)
    node.broker.cut()
    node.run(120.0)
    assert types(node, before)[:3] == ["presence", "presence", "hello"], "the first is the will"
    assert "full" not in types(node, before)


def test_an_acknowledgement_that_is_lost_has_the_message_sent_again_under_its_name(node: VirtualNode) -> None:
    node.controller.is_acknowledging = False
    node.tell("once")
    node.run(15.0)
    node.controller.is_acknowledging = True
    node.run(60.0)
    assert node.controller.texts().count("once") == 1
    assert node.controller.records.repeated >= 1
    assert node.link.status().waiting == 0


def test_no_more_than_a_window_is_under_way(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path, budget=Budget(window=7))
    node.start()
    node.run(60.0)
    node.controller.is_acknowledging = False
    node.tell(*map(str, range(50)))
    node.run(5.0)
    assert sum(text.isdigit() for text in node.controller.texts()) == 7


def test_a_backlog_is_said_no_faster_than_the_budget_allows(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path, budget=Budget(rate=10.0, burst=20.0))
    node.broker.refuses = "link-broker-away"
    node.start()
    node.tell(*map(str, range(500)))
    node.heal()
    start = node.clock.monotonic()
    while len(node.controller.texts()) < 500 and node.clock.monotonic() < start + 900.0:
        node.run(1.0)
    took = node.clock.monotonic() - start
    assert 40.0 < took < 120.0, took


def test_a_full_window_of_the_carrier_loses_nothing(node: VirtualNode) -> None:
    node.carrier.window = 3
    node.turn(report(Health.UNHEALTHY))
    node.tell(*map(str, range(30)))
    node.run(20.0)
    assert sum(text.isdigit() for text in node.controller.texts()) < 5
    node.carrier.window = None
    node.run(20.0)
    assert sum(text.isdigit() for text in node.controller.texts()) == 30
    assert node.controller.records.state["health"] == "unhealthy"


def test_an_event_larger_than_any_broker_takes_is_declared_and_what_is_behind_it_is_sent(
    node: VirtualNode,
) -> None:
    import random

    noise = "".join(chr(random.Random(1).randrange(0x4E00, 0x9FFF)) for _ in range(1)) + "".join(
        chr(0x4E00 + (number * 7919) % 20000) for number in range(90_000)
    )
    node.tell(noise, "behind it")
    node.run(60.0)
    assert "behind it" in node.controller.texts()
    (gap,) = node.controller.records.gaps
    assert (gap.reason, gap.first, gap.last, gap.count) == (GapReason.OVERSIZED, 4, 4, 1)


def test_an_acknowledgement_of_what_was_never_sent_deletes_nothing(node: VirtualNode) -> None:
    node.broker.refuses = "link-broker-away"
    node.broker.cut()
    node.run(10.0)
    node.tell("not sent yet")
    node.broker.refuses = ""
    node.broker.harm = lambda upwards, message: () if upwards and "event" in message.topic else (0.0,)
    epochs = tuple(
        EpochAck(epoch=epoch, upto=1 << 40, also=((1, 1 << 50),))
        for epoch in node.link._core.memory.epochs.values()
    )
    say(node, Ack(acks=epochs), Down.ACK)
    node.kill()
    node.start()
    node.settle()
    assert "not sent yet" in node.controller.texts()


def test_the_welcome_to_an_earlier_connection_is_not_taken_for_this_ones(node: VirtualNode) -> None:
    node.controller.is_listening = False
    node.broker.cut()
    node.run(60.0)
    say(node, Welcome(incarnation="life-1", connection=1), Down.WELCOME)
    node.run(1.0)
    assert node.link.status().state is LinkState.UNANSWERED


@pytest.mark.parametrize(
    "payload", [b"", b"rubbish", b"A1 unsigned -\n{}", b"x\x9c" + b"\0" * 50, b"A1 k sig\n{}"]
)
def test_what_cannot_be_understood_is_passed_over(node: VirtualNode, payload: bytes) -> None:
    for channel in Down:
        node.broker.publish(Outgoing(topic=topics.down(place().shard, NODE, channel), payload=payload))
    node.broker.publish(Outgoing(topic=topics.CONTROLLER_PRESENCE, payload=payload))
    node.run(5.0)
    node.tell("still there")
    node.run(5.0)
    assert "still there" in node.controller.texts()
    assert node.carrier.opened == 1


def test_a_node_that_joins_a_site_connects_anew_under_its_shard_and_takes_its_presence_along(
    node: VirtualNode,
) -> None:
    before, after = topics.shard_of("", NODE), topics.shard_of(SITE, NODE)
    assert before != after
    node.turn(report(site_id=SITE))
    node.run(30.0)
    presences = [topic for topic in node.broker.retained if topic.endswith("/up/presence")]
    assert presences == [topics.up(after, NODE, topics.Up.PRESENCE)]
    assert node.controller.hellos[-1].site_id == SITE
    assert node.controller.records.state["site_id"] == SITE


def test_the_presence_of_a_shard_left_while_away_is_cleared_at_the_next_connection(node: VirtualNode) -> None:
    node.kill()
    node.start()
    node.turn(report(site_id=SITE))
    node.run(60.0)
    presences = [topic for topic in node.broker.retained if topic.endswith("/up/presence")]
    assert presences == [topics.up(topics.shard_of(SITE, NODE), NODE, topics.Up.PRESENCE)]


def test_a_connection_that_breaks_leaves_its_will_with_its_number(node: VirtualNode) -> None:
    node.broker.cut()
    node.run(1.0)
    said = node.controller.presences[-1]
    assert (said.connected, said.connection) == (False, 1)
    node.run(120.0)
    said = node.controller.presences[-1]
    assert (said.connected, said.connection) == (True, 2)


def test_connection_numbers_never_repeat_over_starts(node: VirtualNode) -> None:
    seen = []
    for _ in range(4):
        node.kill()
        node.start()
        node.run(60.0)
        seen.append(node.controller.hellos[-1].connection)
    assert seen == sorted(set(seen))


def test_an_orderly_end_says_good_bye_without_a_will(node: VirtualNode) -> None:
    node.link.stop()
    node.broker.run(node.clock.monotonic() + 1.0)
    assert node.controller.presences[-1].connected is False
    assert node.broker.wills == 0


def test_a_long_outage_is_in_the_fleets_history_and_a_short_one_is_not(node: VirtualNode) -> None:
    def kinds() -> list[EventKind]:
        return [one.kind for one in node.controller.records.events.values()]

    node.controller.spread = 1.0
    node.broker.cut()
    node.run(30.0)
    assert EventKind.LINK_BACK not in kinds()
    node.broker.refuses = "link-broker-away"
    node.broker.cut()
    node.run(600.0, turns=10.0)
    node.heal()
    node.run(600.0, turns=10.0)
    assert kinds().count(EventKind.LINK_LOST) == kinds().count(EventKind.LINK_BACK) == 1
    back = next(one for one in node.controller.records.events.values() if one.kind is EventKind.LINK_BACK)
    assert int(back.params["seconds"]) >= 600


def test_an_idle_connected_node_wakes_once_for_each_point_of_samples_and_its_answer(
    node: VirtualNode,
) -> None:
    before = node.carrier.receives
    until = node.clock.monotonic() + QUIET
    while node.clock.monotonic() < until:
        node.turn()
        due = node.clock.monotonic() + 10.0
        while node.clock.monotonic() < due:
            node.carrier.longest = due - node.clock.monotonic()
            node.link.step()
    woken = node.carrier.receives - before - 360  # one for each turn is this test's own clock
    assert woken <= 12 * 3


def test_the_machines_name_alone_is_a_change_worth_saying(node: VirtualNode) -> None:
    node.turn(other(node.report, "another"))
    node.run(5.0)
    assert node.controller.records.state["facts"]["hostname"] == "another"
