"""Who did what: devices' journals are followed, the fleet's own is a chain, and what was changed is found and shown."""

from dataclasses import replace

import pytest

from archipel_contract.audit import AuditEntries, hash_of
from archipel_contract.link.epochs import Lane
from archipel_fleet.order_records import Deed
from archipel_fleet.records import EVERYTHING, Scope
from archipel_fleet.storage import noticing
from tests.fleet.orders.desk import OTTO, Desk
from tests.fleet.orders.devices import Device
from tests.fleet.storage.speech import Speaker, site_id

BROKEN = "audit-chain-broken"


@pytest.fixture
def device(desk: Desk) -> Device:
    """A node whose journal of three entries is here."""
    one = Device()
    for action in ("up", "login", "restart"):
        one.did(action)
    desk.meet(one)
    desk.hears(one.audit())
    return one


def shown(desk: Desk, device: Device) -> list[str]:
    found = desk.store.site(EVERYTHING, device.speaker.site, desk.clock.now())
    assert found is not None
    return [row.finding.params["detail"] for row in found.findings if row.finding.code == BROKEN]


def told(desk: Desk, device: Device) -> int:
    events = desk.store.events(EVERYTHING, device.speaker.site)
    return sum(one.subject == BROKEN for one in events)


def actions(desk: Desk, device: Device) -> list[str]:
    rows = desk.store.book.deeds(EVERYTHING, device.speaker.site)
    return [one.action for one in reversed(rows) if one.by_device]


def test_a_devices_journal_is_kept_and_its_head_is_said_in_the_welcome(desk: Desk, device: Device) -> None:
    assert actions(desk, device) == ["up", "login", "restart"]
    taken = desk.hears(device.hello())
    assert taken.welcomes[device.speaker.node_id].audit == 3
    device.did("down")
    desk.hears(device.audit(after=3))
    assert actions(desk, device)[-1] == "down"
    assert (shown(desk, device), told(desk, device)) == ([], 0)
    assert [one.problem for one in desk.store.book.verify_deeds()] == ["", ""]


def test_what_is_here_already_has_no_second_effect(desk: Desk, device: Device) -> None:
    desk.hears(device.audit(), device.audit(after=1))
    assert actions(desk, device) == ["up", "login", "restart"]
    assert shown(desk, device) == []


def test_entries_that_come_before_those_they_follow_wait_without_an_acknowledgement(
    desk: Desk, device: Device
) -> None:
    device.did("down")
    first = device.audit(after=3)
    device.did("up")
    second = device.audit(after=4)
    late = desk.hears(second)
    assert late.acks == {}
    desk.hears(first)
    assert desk.hears(second).acks != {}
    assert actions(desk, device)[-2:] == ["down", "up"]
    assert shown(desk, device) == []


def test_entries_that_were_taken_out_are_found_by_the_next_hello(desk: Desk, device: Device) -> None:
    del device.journal[1:]
    desk.meet(device)
    assert shown(desk, device) == ["3 entries were sent, the node says it has 1"]
    assert told(desk, device) == 1
    taken = desk.hears(device.hello())
    assert taken.welcomes[device.speaker.node_id].audit == 0
    desk.hears(device.audit())
    assert sorted(actions(desk, device)) == ["login", "restart", "up", "up"]
    assert told(desk, device) == 1


def test_an_entry_that_was_changed_is_found_by_the_next_hello(desk: Desk, device: Device) -> None:
    changed = replace(device.journal[-1], action="nothing")
    device.journal[-1] = replace(changed, hash=hash_of(changed))
    desk.meet(device)
    assert shown(desk, device) == ["entry 3 is not the one that was sent before"]


def test_a_journal_that_does_not_follow_is_found_when_it_comes(desk: Desk, device: Device) -> None:
    stranger = Device(device.speaker)
    for action in ("a", "b", "c", "d"):
        stranger.did(action)
    desk.hears(stranger.audit(after=3))
    assert shown(desk, device) == ["entry 4 does not follow entry 3 that was sent before"]


def test_entries_that_are_missing_and_entries_without_their_hash_are_found(
    desk: Desk, device: Device
) -> None:
    device.did("e")
    device.did("f")
    desk.hears(device.audit(after=4))
    assert shown(desk, device) == ["entries 4 to 4 are missing"]
    device.did("g")
    wrong = replace(device.journal[-1], detail="changed on the way")
    desk.hears(device.speaker.next(AuditEntries(entries=(wrong,)), Lane.RESULT))
    assert shown(desk, device) == ["entry 6 was changed: it does not have its hash"]


def test_an_old_hello_that_comes_again_breaks_nothing(desk: Desk, device: Device) -> None:
    old = device.hello()
    desk.hears(old)
    device.did("down")
    desk.meet(device)
    desk.hears(device.audit(after=3))
    desk.hears(replace(old, received=old.received + 1000))
    assert (shown(desk, device), told(desk, device)) == ([], 0)


def test_a_break_is_shown_for_some_months(desk: Desk, device: Device) -> None:
    del device.journal[1:]
    desk.meet(device)
    desk.pass_by(noticing.SHOWN / 1000 + 1)
    assert shown(desk, device) == []


def test_a_node_without_an_identity_leaves_no_trace_here(desk: Desk) -> None:
    speaker = Speaker(number=3)
    taken = desk.hears(*speaker.birth())
    assert taken.welcomes[speaker.node_id].audit == 0
    with desk.store._reading() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM standings").scalar() == 0


# --- the fleet's own -------------------------------------------------------------------------------------------------


def test_what_people_order_is_in_the_fleets_own_journal_within_its_customer(
    desk: Desk, device: Device
) -> None:
    order = desk.order(device)
    desk.orders.cancel(OTTO, order.id)
    rows = [one for one in desk.store.book.deeds(EVERYTHING) if not one.by_device]
    assert [(one.actor, one.action) for one in rows] == [
        ("fleet:otto", "order-cancel"),
        ("fleet:otto", "order"),
    ]
    assert rows[0].params["order"] == order.id
    desk.store.add_customer("north")
    assert desk.store.book.deeds(Scope("north")) == ()
    desk.store.assign(device.speaker.site, "north")
    assert {one.action for one in desk.store.book.deeds(Scope("north"))} >= {"order", "restart"}
    assert [one.action for one in desk.store.book.deeds(EVERYTHING, site_id(9))] == []


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE fleet_audit SET entry = REPLACE(entry, 'anna', 'otto') WHERE number = 2", "entry 2"),
        ("DELETE FROM fleet_audit WHERE number = 2", "entry 3"),
        ("DELETE FROM fleet_audit WHERE number = 3", "it ends with entry 2, but entry 3 was written"),
        (
            "UPDATE fleet_audit SET site_id = 's-1' WHERE number = 1",
            "entry 1: time, site or node were changed",
        ),
        ("UPDATE fleet_audit SET entry = '{' WHERE number = 1", "entry 1"),
    ],
)
def test_what_is_changed_or_taken_out_of_the_fleets_journal_is_found(
    desk: Desk, sql: str, problem: str
) -> None:
    for number in range(3):
        desk.store.book.record(Deed(actor="fleet:anna", action=f"deed-{number}"), desk.clock.now())
    assert [(one.name, one.entries, one.problem) for one in desk.store.book.verify_deeds()] == [
        ("fleet", 3, "")
    ]
    with desk.store._writing() as connection:
        connection.exec_driver_sql(sql)
    (found,) = desk.store.book.verify_deeds()
    assert problem in found.problem


def test_what_is_changed_in_a_devices_journal_here_is_found(desk: Desk, device: Device) -> None:
    with desk.store._writing() as connection:
        connection.exec_driver_sql("DELETE FROM device_audit WHERE number = 2")
    found = {one.name: one.problem for one in desk.store.book.verify_deeds()}
    assert "entry 3" in found[device.speaker.node_id]
