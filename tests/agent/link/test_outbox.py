"""The outbox over starts, kills, full and damaged disks, and restored controllers: one rule of it in each test."""

from pathlib import Path

import pytest

from archipel_agent.link import outbox, room
from archipel_agent.link.outbox import Outbox
from archipel_contract.link.epochs import Lane, counter_of, lane_of
from archipel_contract.link.messages import Gap, GapReason
from tests.agent.link.nodes import VirtualNode


@pytest.fixture
def node(tmp_path: Path) -> VirtualNode:
    """A node that has started, and nobody it can reach."""
    one = VirtualNode(tmp_path)
    one.broker.refuses = "link-broker-away"
    one.start()
    return one


def gaps(node: VirtualNode, lane: Lane) -> list[Gap]:
    """What the controller was told to be lost of a lane."""
    return [one for one in node.controller.records.gaps if lane_of(one.epoch) is lane]


def limit_disk(node: VirtualNode, pages: int) -> None:
    """Let the outbox have so many pages; 1 for those it has."""
    shelf = node.link._core._outbox
    assert shelf is not None
    shelf._connection.execute(f"PRAGMA max_page_count={pages}")


def again(node: VirtualNode) -> None:
    """The agent is killed and started."""
    node.kill()
    node.start()


def test_an_event_is_on_disk_when_telling_it_returns(node: VirtualNode) -> None:
    node.tell("before the cut")
    again(node)
    node.settle()
    assert "before the cut" in node.controller.texts()


def test_an_event_keeps_its_name_over_starts_and_new_ones_get_a_higher_epoch(node: VirtualNode) -> None:
    node.tell("old")
    again(node)
    node.tell("new")
    node.settle()
    keys = {event.text: key for key, event in node.controller.records.events.items() if event.text}
    assert keys["old"][1] > 1, "the agent's own events were numbered before it"
    assert counter_of(keys["new"][0]) == counter_of(keys["old"][0]) + 1


def test_the_counter_of_starts_is_on_disk_before_a_number_of_it_is_used(node: VirtualNode) -> None:
    assert node.facts.kept["link_counter"] == "1"
    node.kill()
    node.facts.is_full = True
    node.start()
    node.tell("without a number")
    assert node.link._core._lanes is None
    node.settle()
    key = next(key for key, one in node.controller.records.events.items() if one.text == "without a number")
    assert counter_of(key[0]) == 2


def test_an_orderly_restart_declares_nothing(node: VirtualNode) -> None:
    node.heal()
    node.run(700.0, turns=10.0)
    node.link.stop()
    node.kill()
    node.start()
    node.settle()
    assert node.controller.records.gaps == []


def test_samples_in_memory_are_declared_after_a_kill_and_spilled_by_an_orderly_end(node: VirtualNode) -> None:
    node.run(1300.0, turns=10.0)
    node.link.stop()
    node.kill()
    node.start()
    node.run(1300.0, turns=10.0)
    again(node)
    node.settle(100.0)
    points = [one for chunk in node.controller.records.points.values() for one in chunk.points]
    assert len(points) == 4, "the four of the first start"
    lost = gaps(node, Lane.METRIC)
    assert [(one.reason, one.first, one.last) for one in lost] == [(GapReason.RESTART, 1, 0)]


def test_a_start_without_connection_and_samples_leaves_nothing_to_declare(node: VirtualNode) -> None:
    for _ in range(5):
        again(node)
    node.settle(100.0)
    assert node.controller.records.gaps == []


def test_offline_samples_go_to_the_disk_a_dozen_at_a_time_into_one_row_for_a_day(node: VirtualNode) -> None:
    node.run(24 * 3600.0 + 60.0, turns=100.0)
    shelf = node.link._core._outbox
    assert shelf is not None
    assert len(shelf.waiting(Lane.METRIC, 10)) == 1
    again(node)
    node.settle(60.0)
    (chunk,) = node.controller.records.points.values()
    assert len(chunk.points) == 288
    assert [one[0] for one in chunk.points] == [300 * number for number in range(288)]


def test_a_row_of_samples_that_was_sent_never_grows(node: VirtualNode) -> None:
    node.run(7300.0, turns=100.0)
    node.heal()
    node.controller.is_acknowledging = False
    node.run(600.0)
    node.broker.refuses = "link-broker-away"
    node.broker.cut()
    node.run(7300.0, turns=100.0)
    node.settle()
    sizes: dict[int, set[int]] = {}
    for one in node.controller.heard:
        if one.type == "metrics":
            sizes.setdefault(one.sequence, set()).add(len(one.body["points"]))
    assert all(len(found) == 1 for found in sizes.values()), sizes


def test_a_connected_idle_node_writes_nothing_to_the_disk(node: VirtualNode) -> None:
    node.heal()
    node.run(600.0, turns=10.0)
    shelf = node.link._core._outbox
    assert shelf is not None
    before = shelf._connection.total_changes, node.facts.writes
    node.run(24 * 3600.0, turns=60.0)
    assert (shelf._connection.total_changes, node.facts.writes) == before
    assert len(node.controller.records.points) > 280


def test_a_burst_beyond_the_lane_drops_the_oldest_and_declares_them_in_few_messages(
    node: VirtualNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(room.CAPS, Lane.EVENT, 100_000)
    for number in range(200):
        node.tell(f"{number}" + "x" * 1000)
    node.settle()
    arrived = [int(text.rstrip("x")) for text in node.controller.texts() if text]
    assert arrived == list(range(min(arrived), 200)), "the newest are all there"
    (one,) = gaps(node, Lane.EVENT)
    told = 3  # by the agent itself at its start: they were the oldest
    assert (one.first, one.last, one.reason, one.count) == (
        1,
        min(arrived) + told,
        GapReason.SPACE,
        min(arrived) + told,
    )
    assert node.link.status().dropped == one.count


def test_a_lane_takes_no_more_than_its_share_of_what_the_disk_has_free(node: VirtualNode) -> None:
    node.free = 4 << 20
    for _ in range(40):
        node.tell(*("x" * 10_000 for _ in range(10)))
    waiting = node.link.status()
    assert waiting.waiting_bytes < (4 << 20) // room.DISK_SHARE * 1.2
    assert waiting.dropped > 0


def test_a_disk_that_fills_up_costs_nothing_that_is_stored_already(node: VirtualNode) -> None:
    node.tell(*("x" * 10_000 for _ in range(30)))
    stored = node.link.status()
    assert stored.waiting_bytes > room.LEAST_CAP
    node.free = 0
    node.tell("one more")
    assert 0 < node.link.status().dropped < 8, "room for the new one is made, and a little to spare"
    assert node.link.status().waiting_bytes > stored.waiting_bytes * 0.8


def test_on_a_full_disk_events_are_held_and_sent_all_the_same(node: VirtualNode) -> None:
    limit_disk(node, 1)
    node.tell(*(f"held {number}" + "x" * 3000 for number in range(20)))
    assert node.link._core._lanes is not None
    assert node.link._core._lanes.trouble == "outbox-full"
    node.heal()
    node.run(300.0)
    assert sum(text.startswith("held") for text in node.controller.texts()) == 20
    assert gaps(node, Lane.EVENT) == []


def test_what_is_held_is_written_once_there_is_room(node: VirtualNode) -> None:
    limit_disk(node, 1)
    node.tell(*(f"held {number}" + "x" * 3000 for number in range(20)))
    limit_disk(node, 1 << 30)
    node.tell("there is room")
    again(node)
    node.settle()
    assert sum(text.startswith("held") for text in node.controller.texts()) == 20
    assert gaps(node, Lane.EVENT) == []


def test_more_than_memory_may_hold_is_dropped_and_declared(node: VirtualNode) -> None:
    limit_disk(node, 1)
    for number in range(300):
        node.tell(f"{number}" + "x" * 3000)
    limit_disk(node, 1 << 30)
    node.settle()
    arrived = {text.rstrip("x") for text in node.controller.texts()}
    assert 100 < len(arrived) < 300
    assert sum(one.last - one.first + 1 for one in gaps(node, Lane.EVENT)) == 300 + 3 - len(
        node.controller.records.events
    ), "with the three of the start"


def test_a_kill_while_events_are_held_is_declared_with_an_open_end(node: VirtualNode) -> None:
    node.tell("on disk")
    limit_disk(node, 1)
    node.tell(*(f"held {number}" + "x" * 3000 for number in range(20)))
    lanes = node.link._core._lanes
    assert lanes is not None
    lost = lanes.epochs[Lane.EVENT], lanes._next[Lane.EVENT] - 1
    again(node)
    node.settle()
    assert "on disk" in node.controller.texts()
    assert node.controller.missing(*lost)
    (one,) = gaps(node, Lane.EVENT)
    assert (one.reason, one.first, one.last) == (GapReason.RESTART, 5, 0)


def test_a_kill_while_the_disk_is_full_but_nothing_is_held_declares_nothing(node: VirtualNode) -> None:
    limit_disk(node, 1)
    again(node)
    node.settle()
    assert gaps(node, Lane.EVENT) == []


@pytest.mark.parametrize("how", ["rubbish", "newer", "gone"])
def test_an_outbox_that_cannot_be_used_is_set_aside_and_what_it_held_is_declared(
    node: VirtualNode, how: str
) -> None:
    node.tell("lost")
    lanes = node.link._core._lanes
    assert lanes is not None
    lost = lanes.epochs[Lane.EVENT], lanes._next[Lane.EVENT] - 1
    node.kill()
    if how == "rubbish":
        node.outbox.write_bytes(b"rubbish " * 1000)
    elif how == "newer":
        data = bytearray(node.outbox.read_bytes())
        data[60:64] = (99).to_bytes(4, "big")
        node.outbox.write_bytes(bytes(data))
    else:
        node.outbox.unlink()
    node.start()
    node.tell("after it")
    node.settle()
    assert "after it" in node.controller.texts()
    assert "lost" not in node.controller.texts()
    assert node.controller.missing(*lost)
    assert {one.reason for one in gaps(node, Lane.EVENT)} == {GapReason.DAMAGED}
    assert node.outbox.with_name("outbox.db.unusable").exists() == (how != "gone")
    assert node.link.status().code == ("link-outbox-damaged" if how != "gone" else "")


def test_an_outbox_that_breaks_while_the_agent_runs_is_opened_anew_with_other_epochs(
    node: VirtualNode,
) -> None:
    node.tell("lost")
    shelf, lanes = node.link._core._outbox, node.link._core._lanes
    assert shelf is not None and lanes is not None
    lost = lanes.epochs[Lane.EVENT], lanes._next[Lane.EVENT] - 1
    shelf._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shelf._connection.execute("PRAGMA cache_size=0")
    data = bytearray(node.outbox.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    node.outbox.write_bytes(bytes(data))
    node.tell("told all the same")
    node.settle()
    assert "told all the same" in node.controller.texts()
    assert "lost" in node.controller.texts() or node.controller.missing(*lost)


def test_a_restored_controller_is_offered_again_what_is_kept(node: VirtualNode) -> None:
    node.heal()
    node.run(60.0)
    older = node.controller.backup()
    node.tell("since the copy", "and this")
    node.run(60.0)
    assert "since the copy" in node.controller.texts()
    node.controller.restore(older)
    assert "since the copy" not in node.controller.texts()
    node.run(60.0)
    assert {"since the copy", "and this"} <= set(node.controller.texts())
    assert gaps(node, Lane.EVENT) == []


def test_a_node_that_was_down_when_the_controller_was_restored_offers_again_too(node: VirtualNode) -> None:
    node.heal()
    node.run(60.0)
    older = node.controller.backup()
    node.tell("since the copy")
    node.run(60.0)
    node.kill()
    node.controller.restore(older)
    node.start()
    node.run(100.0)
    assert "since the copy" in node.controller.texts()


def test_what_is_no_longer_kept_for_a_restored_controller_is_declared(
    node: VirtualNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "KEPT_COUNT", 10)
    node.heal()
    older = node.controller.backup()
    node.run(60.0)
    for number in range(40):
        node.tell(str(number))
        node.run(2.0)
    keys = {event.text: key for key, event in node.controller.records.events.items()}
    node.controller.restore(older)
    node.run(200.0)
    back = {int(text) for text in node.controller.texts() if text.isdigit()}
    assert back and back == set(range(min(back), 40)), "the newest come again"
    for number in range(40):
        assert (number in back) != node.controller.missing(*keys[str(number)])
    assert {one.reason for one in gaps(node, Lane.EVENT)} == {GapReason.NOT_KEPT}


def test_copies_lost_with_a_damaged_outbox_are_declared_to_a_restored_controller(node: VirtualNode) -> None:
    node.heal()
    older = node.controller.backup()
    node.tell("acknowledged")
    node.run(100.0)
    key = next(key for key, one in node.controller.records.events.items() if one.text == "acknowledged")
    again(node)  # closes its epoch: nothing of it waits
    node.run(100.0)
    node.kill()
    node.outbox.write_bytes(b"rubbish " * 1000)
    node.start()
    node.run(100.0)
    node.controller.restore(older)
    node.run(200.0)
    assert node.controller.missing(*key)


def test_acknowledged_events_are_kept_up_to_a_limit(
    node: VirtualNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "KEPT_COUNT", 100)
    node.heal()
    node.tell(*map(str, range(500)))
    node.run(100.0)
    shelf = node.link._core._outbox
    assert shelf is not None
    assert node.link.status().waiting == 0
    assert 80 <= len(shelf.present(node.link._core.memory.epochs[Lane.EVENT])) <= 100


def test_a_second_program_on_the_outbox_does_not_stop_the_agent(node: VirtualNode) -> None:
    node.kill()
    first = Outbox(node.outbox)
    try:
        node.start()
        node.tell("told beside it")
        node.settle()
        assert "told beside it" in node.controller.texts()
    finally:
        first.close()


def test_a_state_database_on_a_full_disk_does_not_stop_the_link_for_good(node: VirtualNode) -> None:
    node.heal()
    node.facts.is_full = True
    node.tell("while it is full")
    node.run(900.0, turns=10.0)
    assert "while it is full" not in node.controller.texts(), "the use of its epochs cannot be noted"
    node.facts.is_full = False
    node.run(900.0, turns=10.0)
    assert "while it is full" in node.controller.texts()
    older = node.controller.backup()
    node.facts.is_full = True
    node.controller.restore(older)
    node.tell("to the restored one")
    node.run(900.0, turns=10.0)
    assert "to the restored one" in node.controller.texts()
