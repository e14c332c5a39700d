"""What nodes say is committed in batches and only then answered; broker and database may go and come back."""

import itertools
from dataclasses import replace

import pytest

from archipel_contract.link import envelope, topics
from archipel_contract.link.carrier import Incoming
from archipel_contract.link.envelope import Envelope
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import Event, EventKind
from archipel_fleet.link.connection import filters
from tests.fakes.fleet_intake import NODE, OTHER, SITE, epoch, hello, message
from tests.fleet.link.conftest import World


def note(sequence: int = 1, node_id: str = NODE) -> Incoming:
    return message(Event(kind=EventKind.NOTE, text="hello"), node_id, sequence=sequence)


def types_said(world: World) -> list[str]:
    return [said.type for _, said in world.broker.said()]


def test_what_arrives_together_is_committed_as_one_batch_and_answered_to_each_sender(world: World) -> None:
    world.broker.inbox = [hello(), note(1), hello(OTHER), note(1, OTHER)]
    world.run_for(1.0)
    assert world.store.batches == [4]
    assert sorted(types_said(world)[1:-1]) == ["ack", "ack", "welcome", "welcome"]
    shard = topics.shard_of(SITE, NODE)
    assert topics.down(shard, NODE, topics.Down.ACK) in [topic for topic, _ in world.broker.said()]
    assert frozenset({SITE}) in world.changed


def test_messages_that_come_a_moment_later_still_join_the_batch(world: World) -> None:
    world.broker.inbox = [note(1)]
    world.time.after(0.03, lambda: world.broker.inbox.append(note(2)))
    world.time.after(0.3, lambda: world.broker.inbox.append(note(3)))
    world.run_for(1.0)
    assert world.store.batches == [2, 1]


def test_a_broker_that_waits_for_acknowledgements_gets_them_before_its_window_is_full(world: World) -> None:
    world.broker.inbox = [note(number) for number in range(1, 17)]
    world.time.after(0.03, lambda: world.broker.inbox.append(note(17)))
    world.run_for(1.0)
    assert world.store.batches == [16, 1]


def test_nothing_is_acknowledged_before_the_commit(world: World) -> None:
    world.store.failing = "fleet-database-locked"
    world.broker.inbox = [hello(), note()]
    world.run_for(2.0)
    assert world.store.attempts > 2
    assert world.broker.acknowledged == []
    assert types_said(world) == ["presence", "presence"]


def test_while_the_database_is_away_the_batch_waits_nothing_more_is_read_and_the_finding_is_shown(
    world: World,
) -> None:
    seen: list[tuple[list[str], int]] = []
    world.store.failing = "fleet-database-away"
    world.broker.inbox = [note(1)]
    world.time.after(1.0, lambda: world.broker.inbox.append(note(2)))
    world.time.after(3.0, lambda: seen.append((world.codes(), len(world.broker.inbox))))
    world.time.after(3.0, lambda: setattr(world.store, "failing", ""))
    world.run_for(6.0)
    assert seen == [(["fleet-database-away"], 1)]
    assert [one.envelope.sequence for one in world.store.committed] == [1, 2]
    assert len(world.broker.acknowledged) == 2
    assert world.codes() == []


def test_nodes_are_told_that_nobody_listens_when_the_database_stays_away_and_hear_of_the_return(
    world: World,
) -> None:
    listening: list[float | None] = []
    world.store.failing = "fleet-disk-full"
    world.broker.inbox = [note(1)]
    world.time.after(20.0, lambda: listening.append(world.ingest.listening_seconds))
    world.time.after(20.0, lambda: setattr(world.store, "failing", ""))
    world.run_for(60.0)
    assert listening == [None]
    said = [one.body["connected"] for _, one in world.broker.said() if one.type == "presence"]
    assert said == [True, False, True, False]
    assert len(world.store.committed) == 1


def test_the_end_while_the_database_is_away_leaves_the_batch_unacknowledged_so_that_nodes_send_it_again(
    world: World,
) -> None:
    world.store.failing = "fleet-database-away"
    world.broker.inbox = [note(1)]
    world.run_for(3.0)
    assert world.store.committed == []
    assert world.broker.acknowledged == []


def test_a_message_the_store_stumbles_over_is_refused_alone_and_the_rest_is_committed(world: World) -> None:
    world.store.stumbles_over = lambda arrival: arrival.envelope.sequence == 3
    world.broker.inbox = [note(number) for number in range(1, 8)]
    world.run_for(1.0)
    assert sorted(one.envelope.sequence for one in world.store.committed) == [1, 2, 4, 5, 6, 7]
    assert len(world.broker.acknowledged) == 7
    assert world.count("archipel_fleet_messages_refused_total", reason="message-unstorable") == 1
    assert world.codes() == ["fleet-messages-refused"]


def test_a_repeated_message_is_acknowledged_again_and_counted(world: World) -> None:
    world.broker.inbox = [note(1)]
    world.time.after(0.5, lambda: world.broker.inbox.append(note(1)))
    world.run_for(1.0)
    assert types_said(world).count("ack") == 2
    assert world.count("archipel_fleet_duplicates_total") == 1


def test_the_controllers_presence_is_kept_by_the_broker_and_its_will_says_that_it_is_gone(
    world: World,
) -> None:
    world.nodes = 3000
    world.run_for(1.0)
    (will,) = world.broker.opened
    assert will is not None
    assert will.retained
    first, last = world.broker.said()
    assert first[0] == last[0] == topics.CONTROLLER_PRESENCE
    assert all(one.retained and one.qos == 1 for one in world.broker.sent)
    assert first[1].body["connected"] is True
    assert first[1].body["spread_seconds"] == 15.0
    assert first[1].body["incarnation"] == "life-1"
    assert last[1].body["connected"] is False
    assert first[1].body["connection"] == last[1].body["connection"]
    assert world.broker.closed == [True]


def test_a_small_fleet_still_spreads_its_return_over_five_seconds(world: World) -> None:
    world.nodes = 3
    world.run_for(1.0)
    assert world.broker.said()[0][1].body["spread_seconds"] == 5.0


def test_a_broker_that_is_away_is_a_finding_and_is_tried_again_ever_more_rarely(world: World) -> None:
    tried: list[float] = []
    world.broker.away = "connection refused"
    opening = world.broker.open

    def counted(*given: object, **named: object) -> None:
        tried.append(world.time.seconds)
        opening()

    world.broker.open = counted  # type: ignore[method-assign]  # to see when it is tried
    world.run_for(200.0)
    assert world.codes() == ["fleet-broker-away"]
    waits = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert waits == sorted(waits)
    assert waits[0] < 1.0
    assert 10.0 < waits[-1] <= 30.1


def test_time_without_a_broker_is_not_listening(world: World) -> None:
    seen: list[float | None] = []

    def look() -> None:
        seen.append(world.ingest.listening_seconds)

    def drop() -> None:
        world.broker.away = "restarting"
        world.broker.drop()

    world.time.after(12.0, look)
    world.time.after(15.0, drop)
    world.time.after(30.0, look)
    world.time.after(31.0, lambda: setattr(world.broker, "away", ""))
    world.time.after(80.0, look)
    world.run_for(81.0)
    assert seen[0] == pytest.approx(12.0)
    assert seen[1] is None
    assert seen[2] is not None
    assert seen[2] < 49.1
    assert world.codes() == []
    assert world.count("archipel_fleet_broker_connects_total") == 2


def test_what_was_gathered_before_the_connection_ended_is_committed(world: World) -> None:
    world.broker.inbox = [note(1)]
    world.time.after(0.02, lambda: world.broker.inbox.append(note(2)))
    world.time.after(0.02, world.broker.drop)
    world.run_for(1.0)
    assert len(world.store.committed) == 2


def test_answers_a_slow_broker_does_not_take_are_dropped_and_counted(world: World) -> None:
    world.time.after(0.4, lambda: setattr(world.broker, "full", True))
    world.time.after(0.5, lambda: world.broker.inbox.append(note(1)))
    world.run_for(1.0)
    assert world.count("archipel_fleet_answers_dropped_total") == 1
    assert len(world.store.committed) == 1


def test_what_is_there_at_the_end_is_still_committed_and_answered(world: World) -> None:
    world.time.after(1.0, lambda: world.broker.inbox.append(note(1)))
    world.time.after(1.015, lambda: world.broker.inbox.append(note(2)))
    world.time.after(1.015, world.time.end)
    world.ingest.run()
    assert len(world.store.committed) == 2
    assert types_said(world) == ["presence", "ack", "ack", "presence"]


def test_an_event_that_cannot_be_read_is_committed_as_such_and_acknowledged_so_that_it_does_not_come_for_ever(
    world: World,
) -> None:
    said = Envelope(type="of-tomorrow", at=1, epoch=epoch(Lane.EVENT), sequence=7, body={"anything": 1})
    world.broker.inbox = [replace(note(7), payload=envelope.to_wire(said))]
    world.run_for(1.0)
    (one,) = world.store.committed
    assert one.body.kind is EventKind.UNKNOWN
    assert "ack" in types_said(world)
    assert len(world.broker.acknowledged) == 1
    assert world.count("archipel_fleet_messages_refused_total", reason="message-newer") == 1


def test_a_broker_that_drops_every_connection_at_once_is_tried_ever_more_rarely(world: World) -> None:
    opened: list[float] = []
    opening = world.broker.open

    def dropped(*given: object, **named: object) -> None:
        opened.append(world.time.seconds)
        opening()
        world.broker.drop()

    world.broker.open = dropped  # type: ignore[method-assign]  # to see when it is tried
    world.run_for(120.0)
    waits = [later - earlier for earlier, later in itertools.pairwise(opened)]
    assert waits[0] < 2.0
    assert waits[-1] > 10.0


def test_after_a_connection_that_lasted_the_next_attempt_comes_soon_however_many_failed_before(
    world: World,
) -> None:
    world.broker.away = "restarting"
    world.time.after(100.0, lambda: setattr(world.broker, "away", ""))
    world.time.after(180.0, world.broker.drop)
    world.run_for(182.0)
    assert world.count("archipel_fleet_broker_connects_total") == 2


def test_all_shards_are_one_subscription_and_some_are_one_each() -> None:
    assert filters(frozenset(range(64))) == [(topics.ALL_UP, 1)]
    assert filters(frozenset({63, 0})) == [("archipel/1/00/+/up/#", 1), ("archipel/1/3f/+/up/#", 1)]
