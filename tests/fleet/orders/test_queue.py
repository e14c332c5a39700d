"""An order is signed once, sent until it is answered, done once, and says honestly what became of it."""

import hashlib
from typing import Any

import pytest

from archipel_contract.commands import Action, Outcome
from archipel_contract.link import envelope
from archipel_contract.link.envelope import Signature
from archipel_contract.link.epochs import Lane
from archipel_fleet.order_records import OrderState
from archipel_fleet.orders.rules import OrderRefused
from archipel_fleet.orders.service import Wish
from archipel_fleet.ports import Arrival
from archipel_fleet.records import EVERYTHING, Account, AccountRole, Scope
from archipel_fleet.storage import ordering
from tests.fakes import fleet_keys
from tests.fleet.orders.desk import ANNA, BERTA, OTTO, Desk
from tests.fleet.orders.devices import Device, made, unsure
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import NOW, Speaker, site_id

DAY = 86_400


def answered(device: Device, *results: object) -> list[Arrival]:
    return [device.speaker.next(one, Lane.RESULT) for one in results]


def test_an_order_is_sent_verified_done_and_answered(desk: Desk, device: Device) -> None:
    order = desk.order(device, Action.LOGS, lines=50)
    assert (order.state, set(desk.bell.take())) == (OrderState.QUEUED, {device.speaker.node_id})
    sent = desk.sends(device)
    assert desk.now(order).state is OrderState.SENT
    assert all((one.qos, one.retained) == (1, False) for one in sent)
    desk.hears(*device.heed(sent))
    done = desk.now(order)
    assert (done.state, done.outcome, done.text) == (OrderState.DONE, Outcome.DONE, "it is done")
    result = desk.store.book.order_result(EVERYTHING, order.id)
    assert result is not None and result.data == b"logs is done"
    assert (device.executed, device.refused) == ([order.id], [])


def test_an_order_to_a_silent_node_waits_and_is_done_at_the_next_contact(desk: Desk, device: Device) -> None:
    desk.hears(device.speaker.presence(connected=False))
    order = desk.order(device)
    assert desk.sends(device) == []
    assert desk.now(order).state is OrderState.QUEUED
    desk.pass_by(3 * DAY)
    desk.meet(device)
    assert desk.now(order).state is OrderState.DONE


def test_an_order_is_sent_at_every_contact_until_it_is_answered_and_done_once(
    desk: Desk, device: Device
) -> None:
    order = desk.order(device)
    lost = device.heed(desk.sends(device))
    assert len(lost) == 1  # the answer that never arrives
    desk.hears(device.hello())
    assert desk.now(order).state is OrderState.RUNNING
    again = desk.sends(device)
    assert [one.payload for one in again] != []
    desk.hears(*device.heed(again))
    assert desk.now(order).state is OrderState.DONE
    assert device.executed == [order.id]
    assert desk.sends(device) == []


def test_the_bytes_of_an_order_are_the_same_each_time_for_a_node_that_knows_the_time(
    desk: Desk, device: Device
) -> None:
    desk.order(device)
    first = desk.sends(device)
    desk.hears(device.hello())
    assert [one.payload for one in desk.sends(device)] == [one.payload for one in first]


def test_a_node_that_does_not_know_the_time_gets_an_answer_to_its_hello(desk: Desk, device: Device) -> None:
    unsure(device)
    desk.meet(device)
    order = desk.order(device)
    stale = desk.sends(device)
    desk.hears(device.hello())
    assert device.heed(stale) == []
    assert device.refused == ["order-not-fresh"]
    desk.hears(*device.heed(desk.sends(device)))
    assert desk.now(order).state is OrderState.DONE
    assert device.executed == [order.id]


def test_an_order_nobody_fetched_expires_and_says_so(desk: Desk, device: Device) -> None:
    desk.hears(device.speaker.presence(connected=False))
    order = desk.order(device)
    desk.pass_by(7 * DAY + 1)
    assert desk.sending.turn(desk.clock.now()) == {device.speaker.site}
    assert desk.now(order).state is OrderState.EXPIRED
    desk.meet(device)
    assert device.executed == []


def test_a_cancelled_order_is_not_sent_and_one_that_was_done_all_the_same_says_so(
    desk: Desk, device: Device
) -> None:
    never = desk.order(device)
    assert desk.orders.cancel(OTTO, never.id).state is OrderState.CANCELLED
    sent = desk.order(device)
    on_their_way = desk.sends(device)
    desk.orders.cancel(OTTO, sent.id)
    desk.hears(*device.heed(on_their_way))
    assert device.executed == [sent.id]
    assert desk.now(sent).state is OrderState.DONE
    with pytest.raises(OrderRefused, match="too late") as over:
        desk.orders.cancel(OTTO, sent.id)
    assert over.value.code == "order-over"


def test_while_a_node_is_there_an_order_without_an_answer_is_sent_again_after_some_minutes(
    desk: Desk, device: Device
) -> None:
    desk.order(device)
    desk.bell.take()
    desk.sends(device)
    desk.sending.turn(desk.clock.now())
    assert desk.bell.take() == frozenset()
    desk.pass_by(ordering.AGAIN_AFTER / 1000)
    desk.sending.turn(desk.clock.now())
    assert desk.bell.take() == {device.speaker.node_id}


# --- results ---------------------------------------------------------------------------------------------------------


def test_a_result_in_pieces_is_put_together_in_whatever_order_they_come(desk: Desk, device: Device) -> None:
    order = desk.order(device, Action.SUPPORT)
    desk.sends(device)
    data = bytes(range(256)) * 20
    pieces = made(order.id, data, 1000)
    desk.hears(*answered(device, *pieces[3:], pieces[3]))
    assert (desk.now(order).state, desk.now(order).have) == (OrderState.RUNNING, 3)
    assert desk.store.book.order_result(EVERYTHING, order.id) is None
    desk.hears(*answered(device, *pieces[:3]))
    assert (desk.now(order).state, desk.now(order).size) == (OrderState.DONE, len(data))
    result = desk.store.book.order_result(EVERYTHING, order.id)
    assert result is not None and result.data == data


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"digest": hashlib.sha256(b"else").hexdigest()}, "order-result-damaged"),
        ({"data": "not base64!"}, "order-result-damaged"),
        ({"piece": 7}, "order-result-damaged"),
        ({"size": (8 << 20) + 1}, "order-result-too-large"),
        ({"pieces": 100_000}, "order-result-too-large"),
        ({"pieces": 0}, "order-result-too-large"),
    ],
)
def test_a_result_that_does_not_fit_together_is_not_kept(
    desk: Desk, device: Device, changed: dict[str, object], code: str
) -> None:
    from dataclasses import replace

    order = desk.order(device)
    desk.sends(device)
    desk.hears(*answered(device, replace(made(order.id, b"hello")[0], **changed)))  # type: ignore[arg-type]  # fields by name
    assert (desk.now(order).state, desk.now(order).code) == (OrderState.FAILED, code)
    assert desk.store.book.order_result(EVERYTHING, order.id) is None


def test_pieces_beyond_what_was_said_are_not_kept(desk: Desk, device: Device) -> None:
    from dataclasses import replace

    order = desk.order(device)
    desk.sends(device)
    pieces = [replace(one, size=10) for one in made(order.id, bytes(5000), 1000)]
    desk.hears(*answered(device, *pieces))
    assert desk.now(order).code == "order-result-too-large"


def test_a_second_answer_and_another_nodes_answer_change_nothing(desk: Desk, device: Device) -> None:
    other = Device(Speaker(number=2))
    desk.meet(other)
    order = desk.order(device)
    desk.sends(device)
    desk.hears(*answered(other, *made(order.id, b"forged")))
    assert desk.now(order).state is OrderState.SENT
    desk.hears(*answered(device, *made(order.id, b"true")))
    desk.hears(*answered(device, *made(order.id, b"later", outcome=Outcome.FAILED)))
    result = desk.store.book.order_result(EVERYTHING, order.id)
    assert result is not None and result.data == b"true"
    assert desk.now(order).state is OrderState.DONE


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "action", "may"),
    [
        (AccountRole.VIEWER, Action.LOGS, False),
        (AccountRole.OPERATOR, Action.LOGS, True),
        (AccountRole.OPERATOR, Action.RESTART, True),
        (AccountRole.OPERATOR, Action.DECOMMISSION, False),
        (AccountRole.ADMIN, Action.DECOMMISSION, True),
        (AccountRole.ADMIN, Action.RESET, False),
        (AccountRole.ADMIN, Action.UNKNOWN, False),
    ],
)
def test_each_order_takes_its_role(
    desk: Desk, device: Device, role: AccountRole, action: Action, may: bool
) -> None:
    account = Account(name="somebody", role=role)
    if may:
        assert desk.order(device, action, account)
    else:
        with pytest.raises(OrderRefused) as refused:
            desk.order(device, action, account)
        assert refused.value.code in ("order-not-permitted", "order-unfit")
    assert bool(desk.store.book.orders(EVERYTHING)) == may


def test_another_customers_nodes_do_not_exist(desk: Desk, device: Device) -> None:
    desk.store.add_customer("north")
    nora = Account(name="nora", role=AccountRole.OPERATOR, customer="north")
    for target in (device.speaker.node_id, device.speaker.site, device.speaker.site_name):
        with pytest.raises(OrderRefused) as refused:
            desk.orders.place(nora, Wish(target=target, action=Action.LOGS, arguments={}))
        assert refused.value.code == "order-nobody"
    order = desk.order(device)
    with pytest.raises(OrderRefused) as unknown:
        desk.orders.cancel(nora, order.id)
    assert unknown.value.code == "order-unknown"
    assert desk.store.book.orders(Scope("north")) == ()
    assert desk.store.book.order_result(Scope("north"), order.id) is None
    assert desk.store.book.deeds(Scope("north")) == ()


def test_an_order_from_before_a_node_changed_hands_is_not_sent_after(desk: Desk, device: Device) -> None:
    desk.hears(device.speaker.presence(connected=False))
    order = desk.order(device)
    desk.store.add_customer("north")
    device.speaker.site = site_id(7)
    desk.meet(Device(Speaker(number=5, site=site_id(7))))
    desk.store.assign(site_id(7), "north")
    desk.meet(device)
    assert desk.store.site(Scope("north"), site_id(7), NOW).nodes  # type: ignore[union-attr]  # it is there
    assert device.executed == []
    assert desk.now(order).state is OrderState.QUEUED


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        (Action.LOGS, {"lines": 0}),
        (Action.LOGS, {"source": "/etc/shadow"}),
        (Action.LOGS, {"lines": True}),
        (Action.DOCTOR, {"anything": 1}),
        (Action.KUBECTL, {}),
        (Action.KUBECTL, {"arguments": ["delete", "pod", "x"]}),
        (Action.KUBECTL, {"arguments": ["get", "pods\nx"]}),
        (Action.KUBECTL, {"arguments": "get pods"}),
    ],
)
def test_an_order_that_no_node_would_do_is_not_taken(
    desk: Desk, device: Device, action: Action, arguments: dict[str, Any]
) -> None:
    with pytest.raises(OrderRefused) as refused:
        desk.order(device, action, **arguments)
    assert refused.value.code == "order-unfit"


def test_what_changes_something_needs_its_node_and_what_looks_goes_to_all(desk: Desk, device: Device) -> None:
    desk.meet(Device(Speaker(number=2, name="pi-2")))
    site = device.speaker.site
    with pytest.raises(OrderRefused) as several:
        desk.orders.place(OTTO, Wish(target=site, action=Action.RESTART, arguments={}))
    assert several.value.remedy == "Name one: pi-1, pi-2"
    assert len(desk.orders.place(OTTO, Wish(target=site, action=Action.LOGS, arguments={}))) == 2
    words = {"arguments": ["get", "pods"]}
    assert len(desk.orders.place(OTTO, Wish(target=site, action=Action.KUBECTL, arguments=words))) == 1
    assert desk.orders.place(OTTO, Wish(target="pi-2", action=Action.RESTART, arguments={}))


def test_a_node_without_an_identity_is_given_no_orders(desk: Desk) -> None:
    speaker = Speaker(number=9)
    desk.hears(*speaker.birth())
    with pytest.raises(OrderRefused) as refused:
        desk.order(Device(speaker))
    assert refused.value.code == "order-unheeded"


def test_nobodys_word_answers_no_order_and_raises_no_counter(desk: Desk, device: Device) -> None:
    order = desk.order(device)
    desk.sends(device)
    device.speaker.signed_by = ""
    desk.hears(*answered(device, *made(order.id, b"forged")), device.hello(counter=900), device.audit())
    assert desk.now(order).state is OrderState.SENT
    assert desk.order(device).counter == order.counter + 1


# --- two signatures --------------------------------------------------------------------------------------------------


def second(desk: Desk, order_id: str, account: Account = BERTA, name: str = "operator") -> None:
    payload = desk.orders.to_sign(account, order_id)
    signer = fleet_keys.signer(name)
    signature = Signature(signer.key_id, signer.sign(payload))
    desk.orders.sign(account, order_id, signature, hashlib.sha256(payload).hexdigest())


def test_what_cannot_be_taken_back_waits_for_another_persons_signature(desk: Desk, device: Device) -> None:
    order = desk.order(device, Action.DECOMMISSION, ANNA)
    assert (order.state, desk.sends(device)) == (OrderState.WAITING, [])
    with pytest.raises(OrderRefused) as same:
        second(desk, order.id, ANNA)
    assert same.value.code == "order-same-person"
    with pytest.raises(OrderRefused) as stranger:
        second(desk, order.id, BERTA, "stranger")
    assert stranger.value.code == "message-untrusted"
    with pytest.raises(OrderRefused) as twice:
        second(desk, order.id, BERTA, "controller")
    assert twice.value.code == "message-untrusted"
    assert desk.now(order).state is OrderState.WAITING
    second(desk, order.id)
    signed = desk.now(order)
    assert (signed.state, signed.signed_by) == (OrderState.QUEUED, "berta")
    desk.hears(*device.heed(desk.sends(device)))
    assert desk.now(order).state is OrderState.DONE
    assert device.refused == []


def test_an_order_that_waited_while_others_were_done_is_signed_with_a_counter_that_still_counts(
    desk: Desk, device: Device
) -> None:
    waiting = desk.order(device, Action.DECOMMISSION, ANNA)
    desk.order(device, Action.DOCTOR)
    desk.hears(*device.heed(desk.sends(device)))
    second(desk, waiting.id)
    desk.hears(*device.heed(desk.sends(device)))
    assert desk.now(waiting).state is OrderState.DONE
    assert device.refused == []


def test_a_signature_over_other_bytes_is_not_taken(desk: Desk, device: Device) -> None:
    order = desk.order(device, Action.DECOMMISSION, ANNA)
    payload = desk.orders.to_sign(BERTA, order.id)
    signer = fleet_keys.signer("operator")
    signature = Signature(signer.key_id, signer.sign(payload))
    desk.order(device, Action.DOCTOR)
    with pytest.raises(OrderRefused) as changed:
        desk.orders.sign(BERTA, order.id, signature, hashlib.sha256(payload).hexdigest())
    assert changed.value.code == "order-changed"
    digest = hashlib.sha256(desk.orders.to_sign(BERTA, order.id)).hexdigest()
    with pytest.raises(OrderRefused) as forged:
        desk.orders.sign(BERTA, order.id, signature, digest)
    assert forged.value.code == "message-forged"


# --- documents and trust ---------------------------------------------------------------------------------------------


def document() -> dict[str, object]:
    binary = {"path": "/usr/local/bin/k3s", "version": "v1.36.3+k3s1", "sha256": "0" * 64}
    return {
        "name": "Harbour",
        "network": {"node_ip": "10.0.0.1", "interface": "eth0"},
        "k3s": binary,
        "nodes": [],
    }


def test_a_site_document_is_sent_until_the_hello_reports_it(desk: Desk, device: Device) -> None:
    made_ = desk.orders.set_document(OTTO, device.speaker.site, document())
    assert made_.generation == 1
    assert len(desk.sends(device)) == 1
    desk.meet(device)
    assert (device.generation, device.refused) == (1, [])
    desk.meet(device)
    assert desk.sends(device) == []
    assert desk.orders.set_document(OTTO, device.speaker.site, document()).generation == 2
    with pytest.raises(OrderRefused, match="another site"):
        desk.orders.set_document(OTTO, device.speaker.site, {**document(), "site_id": site_id(9)})
    with pytest.raises(OrderRefused, match="no site document"):
        desk.orders.set_document(OTTO, device.speaker.site, {"name": 7})


def test_a_node_with_an_older_trust_document_gets_every_later_one_in_order(
    desk: Desk, device: Device
) -> None:
    desk.keys.publish()
    desk.keys.publish()
    desk.meet(device)
    assert (device.trust.document.version, device.refused) == (3, [])
    desk.order(device)
    desk.hears(*device.heed(desk.sends(device)))
    assert device.refused == []  # no older document a second time in one connection
    desk.meet(device)
    assert desk.sends(device) == []


def test_what_could_not_be_handed_over_is_said_again(desk: Desk, device: Device) -> None:
    desk.keys.publish()
    desk.hears(device.hello())
    assert len(desk.sends(device)) == 1
    assert desk.sends(device) == []
    desk.sending.again([device.speaker.node_id])
    assert desk.bell.take() == {device.speaker.node_id}
    assert len(desk.sends(device)) == 1


# --- a controller that is an older copy ------------------------------------------------------------------------------


def codes(desk: Desk, device: Device) -> list[str]:
    found = desk.store.site(EVERYTHING, device.speaker.site, desk.clock.now())
    assert found is not None
    return [row.finding.code for row in found.findings if row.node_id == device.speaker.node_id]


def test_a_restored_controller_goes_on_above_what_the_node_has_accepted(desk: Desk, device: Device) -> None:
    device.counter, device.generation = 41, 7
    order = desk.order(device)  # given before the node is heard: with a counter the node has passed
    assert order.counter <= 41
    desk.meet(device)
    assert desk.now(order).state is OrderState.DONE
    assert device.counter == 42
    assert desk.order(device).counter == 43
    assert desk.orders.set_document(OTTO, device.speaker.site, document()).generation == 8
    assert "fleet-older-than-device" in codes(desk, device)
    subjects = [one.subject for one in desk.store.events(EVERYTHING, device.speaker.site)]
    assert subjects.count("fleet-older-than-device") == 1


def test_a_node_with_a_newer_trust_document_shows_that_the_controller_is_an_older_copy(
    desk: Desk, device: Device
) -> None:
    desk.hears(device.hello(trust=5))
    assert desk.sends(device) == []
    assert "fleet-older-than-device" in codes(desk, device)


def test_an_order_that_was_done_after_the_copy_was_made_is_not_done_again(ground: Ground) -> None:
    desk, device = Desk(ground.open()), Device()
    desk.store.listening(NOW - 1000, NOW)
    desk.meet(device)
    order = desk.order(device)
    frames = [one.payload for one in desk.sends(device)]
    device.heed(desk.sends(device))
    assert device.executed == [order.id]
    # The copy was made before the order was sent: there it is queued, and what came of it is not known.
    meta = "UPDATE orders SET state = 'queued', sends = 0, incarnation = 'another life'"
    with desk.store._writing() as connection:
        connection.exec_driver_sql(meta)
    desk.meet(device)
    assert device.executed == [order.id]
    assert desk.now(order).state is OrderState.DONE
    assert frames


def test_nothing_is_sent_to_a_node_that_has_said_no_hello_to_this_life_of_the_database(
    desk: Desk, device: Device
) -> None:
    order = desk.order(device)
    with desk.store._writing() as connection:
        connection.exec_driver_sql("UPDATE standings SET incarnation = 'another life'")
    assert desk.sends(device) == []
    desk.meet(device)
    assert desk.now(order).state is OrderState.DONE


def test_every_signed_byte_is_kept_as_it_was_sent(desk: Desk, device: Device) -> None:
    order = desk.order(device)
    (sent,) = desk.sends(device)
    assert envelope.framed(envelope.frame_in(sent.payload)) == desk.store.book.order_frame(order.id)
