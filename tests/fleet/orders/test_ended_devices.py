"""Orders to a device that was revoked or taken out of service: refused at once, and those that are open end."""

import pytest

from archipel_contract.commands import Action
from archipel_contract.trust.enrolment import EnrolmentState
from archipel_fleet.device_records import Decision, DeviceState, Wanted
from archipel_fleet.order_records import OrderRow, OrderState
from archipel_fleet.orders.rules import OrderRefused
from archipel_fleet.orders.service import Wish
from archipel_fleet.records import EVERYTHING
from tests.fleet.orders.desk import ANNA, OTTO, Desk
from tests.fleet.orders.devices import Device
from tests.fleet.storage.speech import Speaker

DAY = 86_400


def registered(desk: Desk, device: Device) -> str:
    """Let a device that speaks into the registry, and return its node id."""
    node = device.speaker.node_id
    wanted = Wanted(node_id=node, key_id="k-device", public="", claim="", hostname=node)
    decision = Decision(state=EnrolmentState.ISSUED, admit=True)
    desk.store.devices.settle(wanted, lambda *_: decision, desk.clock.now())
    return node


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (DeviceState.REVOKED, "was revoked"),
        (DeviceState.DECOMMISSIONED, "was taken out of service"),
    ],
)
def test_an_order_to_a_device_that_was_ended_is_refused_at_once_and_open_ones_end(
    desk: Desk, device: Device, state: DeviceState, said: str
) -> None:
    node = registered(desk, device)
    runs, waits = desk.order(device), desk.order(device, Action.DECOMMISSION, ANNA)
    device.heed(desk.sends(device))
    desk.hears(device.hello())  # says that it has accepted the first one
    queued = desk.order(device)
    assert [desk.now(one).state for one in (runs, waits, queued)] == [
        OrderState.RUNNING, OrderState.WAITING, OrderState.QUEUED,
    ]  # fmt: skip
    assert desk.store.devices.end(node, state, "anna", desk.clock.now())
    ended = [desk.now(one) for one in (runs, waits, queued)]
    assert [one.state for one in ended] == [OrderState.FAILED, OrderState.CANCELLED, OrderState.CANCELLED]
    assert all(said in one.text and one.ended == desk.clock.now() for one in ended)
    assert "not known whether it was done" in ended[0].text
    with pytest.raises(OrderRefused) as refused:
        desk.order(device)
    assert (refused.value.code, said in str(refused.value)) == ("order-device-ended", True)
    assert "sudo archipel enrol --again" in refused.value.remedy
    assert len(desk.store.book.orders(EVERYTHING)) == 3


def test_a_sites_order_goes_past_its_ended_devices(desk: Desk, device: Device) -> None:
    other = Device(Speaker(number=2, site=device.speaker.site))
    desk.meet(other)
    node = registered(desk, device)
    desk.store.devices.end(node, DeviceState.REVOKED, "anna", desk.clock.now())
    made_for = desk.orders.place(OTTO, Wish(target=device.speaker.site, action=Action.LOGS, arguments={}))
    assert [one.node_id for one in made_for] == [other.speaker.node_id]


def test_what_was_ordered_in_the_instant_of_the_end_is_ended_by_the_clock(desk: Desk, device: Device) -> None:
    node = registered(desk, device)
    desk.store.devices.end(node, DeviceState.REVOKED, "anna", desk.clock.now())
    found = desk.store.book.addressees(EVERYTHING, node)[0]
    late = OrderRow(
        id="c-0000000000000009", node_id=node, site_id=found.site_id, customer=found.customer,
        action=Action.DOCTOR, counter=9, issued=desk.clock.now(), expires=desk.clock.now() + DAY * 1000,
    )  # fmt: skip
    desk.store.book.add_order(late, b"frame")
    assert desk.sending.turn(desk.clock.now()) == {found.site_id}
    assert desk.now(late).state is OrderState.CANCELLED
    assert desk.sending.turn(desk.clock.now()) == frozenset()
