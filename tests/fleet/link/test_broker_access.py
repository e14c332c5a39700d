"""Brokers with certificates as the controller runs and checks them: reload with open connections, cutting off, proofs."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_contract.link import topics
from archipel_contract.link.carrier import CarrierFailed, Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.topics import Down, Up
from archipel_fleet.link import broker_guest, broker_mosquitto, broker_nats
from archipel_fleet.link.broker import BrokerFailed, EmbeddedBroker, find_program
from archipel_fleet.link.broker_access import CHECK_NODES, CHECKER, CONTROLLER, BrokerAccess
from archipel_fleet.link.broker_checking import BrokerCheck
from tests.brokers.guarded import NODE, OTHER, GuardedBroker, GuardedMosquitto, GuardedNats, Pki
from tests.brokers.listening import heard, lost, silence
from tests.brokers.servers import free_port

pytestmark = [pytest.mark.broker, pytest.mark.real_process]

NEW = "n-2222222222222222"
ALL_POINTS = {
    "controller-comes-in", "device-is-heard-and-hears", "foreign-words-reach-nobody", "foreign-words-are-not-heard",
    "foreign-will-reaches-nobody", "place-cannot-be-taken", "nobody-without-certificate", "nobody-of-another-ca",
    "nobody-with-ended-certificate", "nobody-without-tls", "oversized-ends-connection",
}  # fmt: skip


@pytest.fixture
def embedded(pki: Pki, tmp_path: Path) -> Generator[EmbeddedBroker, None, None]:
    if find_program() is None:
        pytest.skip("nats is not installed")
    one = EmbeddedBroker(tmp_path / "the broker's", 0, access=access(pki, NODE, OTHER))
    one.start()
    try:
        yield one
    finally:
        one.stop()


def access(pki: Pki, *devices: str) -> BrokerAccess:
    return pki.access(free_port(), 0, devices, None)


def admit(broker: EmbeddedBroker, devices: Mapping[str, tuple[str, ...]]) -> None:
    """Have it let in these keys of these devices from now on."""
    assert broker._access is not None
    broker.reload(replace(broker._access, devices=devices))


def opened(broker: EmbeddedBroker, pki: Pki, name: str, topic: str, label: str = "") -> MqttCarrier:
    carrier = MqttCarrier(broker.url, name, tls=pki.context(label or name))
    carrier.open()
    carrier.subscribe([(topic, 1)])
    return carrier


def event(name: str, payload: bytes) -> Outgoing:
    return Outgoing(topic=topics.up(5, name, Up.EVENT), payload=payload, qos=1)


def failure(act: Callable[[], object]) -> BrokerFailed:
    with pytest.raises(BrokerFailed) as failed:
        act()
    return failed.value


# --- the embedded one -----------------------------------------------------------------------------------------------------


def test_a_reload_lets_a_new_device_in_and_cuts_a_revoked_one_while_all_others_stay(
    embedded: EmbeddedBroker, pki: Pki
) -> None:
    ear = opened(embedded, pki, CONTROLLER, topics.ALL_UP)
    stays = opened(embedded, pki, NODE, topics.down_filter(5, NODE))
    goes = opened(embedded, pki, OTHER, topics.down_filter(5, OTHER))
    admit(embedded, {name: (pki.key_id(name),) for name in (NODE, NEW)})
    assert lost(goes, 3).code == "link-broker-away"
    with pytest.raises(CarrierFailed) as refused:
        goes.open()
    assert refused.value.code == "link-broker-refused"
    comes = opened(embedded, pki, NEW, topics.down_filter(5, NEW))
    for node, name in ((stays, NODE), (comes, NEW)):
        assert node.send(event(name, name.encode()))
        assert heard(ear)[0].payload == name.encode()
        assert ear.send(Outgoing(topic=topics.down(5, name, Down.ACK), payload=b"ack", qos=1))
        assert heard(node)[0].payload == b"ack"
        node.close()
    ear.close()


def refused(broker: EmbeddedBroker, pki: Pki, name: str, label: str) -> bool:
    """Whether it lets nobody in with that certificate."""
    try:
        opened(broker, pki, name, topics.down_filter(5, name), label).close()
    except CarrierFailed as failed:
        assert failed.code == "link-broker-refused"
        return True
    return False


def test_who_enrolled_anew_comes_in_and_the_key_it_had_before_is_cut_off_and_stays_out(
    embedded: EmbeddedBroker, pki: Pki
) -> None:
    pki.issue(NODE, "anew", anew=True)
    stolen = opened(embedded, pki, NODE, topics.down_filter(5, NODE))
    other = opened(embedded, pki, OTHER, topics.down_filter(5, OTHER))
    assert refused(embedded, pki, NODE, "anew")
    admit(embedded, {NODE: (pki.key_id("anew"),), OTHER: (pki.key_id(OTHER),)})
    assert lost(stolen, 3).code == "link-broker-away"
    assert refused(embedded, pki, NODE, NODE)
    ear = opened(embedded, pki, CONTROLLER, topics.ALL_UP)
    node = opened(embedded, pki, NODE, topics.down_filter(5, NODE), "anew")
    assert node.send(event(NODE, b"it is me"))
    assert heard(ear)[0].payload == b"it is me"
    for one in (other, node):
        silence(one, 0.1)
        one.close()
    ear.close()


def test_while_a_key_is_exchanged_both_come_in_and_then_only_the_next(
    embedded: EmbeddedBroker, pki: Pki
) -> None:
    pki.issue(NODE, "next", anew=True)
    ear = opened(embedded, pki, CONTROLLER, topics.ALL_UP)
    before = opened(embedded, pki, NODE, topics.down_filter(5, NODE))
    admit(embedded, {NODE: (pki.key_id(NODE), pki.key_id("next"))})
    after = opened(embedded, pki, NODE, topics.down_filter(5, NODE), "next")
    for node in (before, after):
        assert node.send(event(NODE, b"here"))
        assert heard(ear)[0].payload == b"here"
    admit(embedded, {NODE: (pki.key_id("next"),)})
    assert lost(before, 3).code == "link-broker-away"
    assert refused(embedded, pki, NODE, NODE)
    assert after.send(event(NODE, b"still"))
    assert heard(ear)[0].payload == b"still"
    for one in (ear, after):
        one.close()


def test_a_renewed_certificate_of_the_same_key_needs_no_new_rules(embedded: EmbeddedBroker, pki: Pki) -> None:
    pki.issue(NODE)
    pki.issue(NODE, "renewed")
    assert pki.serial(NODE) != pki.serial("renewed")
    assert not refused(embedded, pki, NODE, "renewed")


def test_a_guest_in_the_name_of_a_device_is_nobody_to_it(embedded: EmbeddedBroker, pki: Pki) -> None:
    guest = MqttCarrier(embedded.url, NODE, tls=lambda: broker_guest.context(pki.authority, NODE, pki.now))
    with pytest.raises(CarrierFailed):
        guest.open()


def test_ten_reloads_in_a_row_lose_no_connection_and_no_message(embedded: EmbeddedBroker, pki: Pki) -> None:
    ear = opened(embedded, pki, CONTROLLER, topics.ALL_UP)
    node = opened(embedded, pki, NODE, topics.down_filter(5, NODE))
    for number in range(10):
        more = {f"n-{number:016d}": (f"k-{number:016d}",) for number in range(3, 4 + number)}
        admit(embedded, {NODE: (pki.key_id(NODE),), **more})
        assert node.send(event(NODE, b"%d" % number))
    assert [one.payload for one in heard(ear, 10)] == [b"%d" % number for number in range(10)]
    node.close()
    ear.close()


def test_rules_hold_over_a_new_start_of_the_broker(embedded: EmbeddedBroker, pki: Pki) -> None:
    admit(embedded, {NODE: (pki.key_id(NODE),)})
    embedded.stop()
    embedded.start()
    opened(embedded, pki, NODE, topics.down_filter(5, NODE)).close()
    with pytest.raises(CarrierFailed):
        opened(embedded, pki, OTHER, topics.down_filter(5, OTHER))


def test_its_key_can_be_read_by_its_owner_only(embedded: EmbeddedBroker) -> None:
    for one in ("broker.key", "users.conf", "nats-server.conf"):
        assert (embedded._directory / one).stat().st_mode & 0o777 == 0o600


def test_rules_it_does_not_take_are_an_error_and_the_former_go_on(embedded: EmbeddedBroker, pki: Pki) -> None:
    before = embedded.devices
    assert set(before) == {NODE, OTHER}
    configuration = embedded._directory / "nats-server.conf"
    configuration.write_text(configuration.read_text() + "rubbish { \n")
    failed = failure(lambda: admit(embedded, {NODE: before[NODE]}))
    assert failed.code == "fleet-broker-failed" and "did not take new rules" in str(failed)
    assert embedded.devices == before
    opened(embedded, pki, OTHER, topics.down_filter(5, OTHER)).close()


def test_a_broker_without_certificates_has_no_rules_to_change(tmp_path: Path, pki: Pki) -> None:
    plain = EmbeddedBroker(tmp_path, free_port())
    assert failure(lambda: plain.reload(access(pki))).code == "fleet-broker-failed"


# --- rules ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "n-1", 'n-0123456789abcde"', "n-0123456789abcdef\n", "+", "n-0123456789abcdeF"]
)
def test_what_is_no_node_id_is_never_written_into_rules(pki: Pki, name: str) -> None:
    with pytest.raises(ValueError, match="no node id"):
        replace(access(pki), devices={name: ()})


@pytest.mark.parametrize(
    "key", ["", NODE, 'k-0123456789abcde"', "k-0123456789abcdef\n", "k-0123456789abcde,"]
)
def test_what_is_no_id_of_a_key_is_never_written_into_rules(pki: Pki, key: str) -> None:
    with pytest.raises(ValueError, match="no id of a key"):
        replace(access(pki), devices={NODE: (key,)})


@pytest.mark.parametrize("name", ["", 'a"b', "a b", "a\nb", "+", NODE, "ä"])
def test_a_controllers_name_is_plain_and_never_a_devices(pki: Pki, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a controller"):
        replace(access(pki), controllers=(name,))


def test_rules_name_devices_controllers_and_those_of_a_check_each_once(pki: Pki) -> None:
    rules = replace(access(pki, OTHER, NODE, NODE, CHECK_NODES[0]), websocket_port=1)
    fleets = {f"CN={name},OU={pki.key_id(name)}" for name in (NODE, OTHER, CHECK_NODES[0])}
    users = [line.split('"')[1] for line in broker_nats.users(rules).splitlines() if "user:" in line]
    assert set(users) == fleets | {f"CN={name}" for name in (*CHECK_NODES, CONTROLLER, CHECKER)}
    named = [line for line in broker_mosquitto.rules(rules).splitlines() if line.startswith("user ")]
    assert set(named) == {f"user {name}" for name in (NODE, OTHER, *CHECK_NODES, CONTROLLER, CHECKER)}
    assert (len(users), len(named)) == (len(set(users)), len(set(named)))


# --- cutting off ----------------------------------------------------------------------------------------------------------


def test_a_revoked_devices_open_connection_ends_when_its_place_is_taken(
    guarded_mosquitto: GuardedMosquitto,
) -> None:
    broker, pki = guarded_mosquitto, guarded_mosquitto.pki
    revoked, stays = broker.carrier(OTHER), broker.carrier(NODE)
    revoked.open()
    stays.open()
    broker.admit(NODE, revoked=(OTHER,))
    silence(revoked, 0.2)  # a list alone ends nothing that stands
    broker_guest.cut(broker.url, pki.authority, OTHER, pki.now)
    assert lost(revoked, 3).code == "link-broker-away"
    silence(stays, 0.1)
    stays.close()


def test_cutting_whom_the_broker_no_longer_knows_is_no_error_but_a_broker_that_is_away_is(
    guarded_nats: GuardedNats,
) -> None:
    broker, pki = guarded_nats, guarded_nats.pki
    broker.admit(NODE)
    broker_guest.cut(broker.url, pki.authority, OTHER, pki.now)
    broker.stop()
    with pytest.raises(CarrierFailed) as failed:
        broker_guest.cut(broker.url, pki.authority, OTHER, pki.now)
    assert failed.value.code == "link-broker-away"


# --- proofs ---------------------------------------------------------------------------------------------------------------


def broken(broker: GuardedBroker) -> set[str]:
    points = list(BrokerCheck(broker.url, broker.pki.authority, broker.pki.now).points())
    assert len({point.slug for point in points}) == len(points)
    assert all(point.detail for point in points if not point.holds)
    if len(points) > 1:
        assert {point.slug for point in points} == ALL_POINTS
    return {point.slug for point in points if not point.holds}


def test_a_broker_with_our_rules_holds_in_every_point_and_the_fleets_devices_notice_nothing(
    own_guarded: GuardedBroker,
) -> None:
    node = own_guarded.carrier(NODE)
    node.open()
    node.subscribe([(topics.down_filter(5, NODE), 1)])
    assert broken(own_guarded) == set()
    silence(node, 0.1)
    node.close()


def test_rights_below_the_servers_own_topics_are_found(guarded_nats: GuardedNats) -> None:
    users = guarded_nats.directory / "users.conf"
    users.write_text(users.read_text().replace('.up.>"] }, subscribe', '.up.>", "$MQTT.>"] }, subscribe'))
    guarded_nats.hang_up()
    assert broken(guarded_nats) == {"foreign-words-reach-nobody"}


def test_rules_that_let_everybody_do_everything_are_found(guarded_mosquitto: GuardedMosquitto) -> None:
    (guarded_mosquitto.directory / "rules.acl").write_text("topic readwrite #\npattern readwrite #\n")
    guarded_mosquitto.hang_up()
    assert {
        "foreign-words-reach-nobody", "foreign-words-are-not-heard", "foreign-will-reaches-nobody"
    } <= broken(guarded_mosquitto)  # fmt: skip


def test_a_broker_that_is_away_is_one_point_that_does_not_hold(guarded_nats: GuardedNats) -> None:
    guarded_nats.stop()
    assert broken(guarded_nats) == {"controller-comes-in"}
