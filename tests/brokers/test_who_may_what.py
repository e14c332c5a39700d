"""Who may come in and say what, against each real broker with the rules we generate: the facts the link's safety rests on.

A device can hurt no other device, whoever has no valid certificate gets nowhere, and who is revoked is out at once while all
others stay.
"""

import socket
import ssl
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest

from archipel_contract.link import topics
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed, Incoming, Lost, Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.topics import Down, Up
from archipel_fleet.link.broker_access import CONTROLLER, PACKET_LIMIT
from tests.brokers import speech
from tests.brokers.guarded import NODE, OLD, OTHER, GuardedBroker, GuardedMosquitto, GuardedNats
from tests.brokers.listening import heard, lost, settled, silence
from tests.brokers.talking import opened

pytestmark = [pytest.mark.broker, pytest.mark.real_process]

LATE = "n-2222222222222222"
FORGED = b"forged"


@contextmanager
def three(broker: GuardedBroker) -> Generator[tuple[MqttCarrier, MqttCarrier, MqttCarrier], None, None]:
    """A controller, a victim and an attacker, each hearing what is theirs."""
    down = (topics.down_filter(5, OTHER), topics.CONTROLLER_PRESENCE)
    with (
        opened(broker.carrier(CONTROLLER, manual_ack=True), topics.ALL_UP) as ear,
        opened(broker.carrier(OTHER), *down) as victim,
        opened(broker.carrier(NODE), topics.down_filter(5, NODE)) as attacker,
    ):
        yield ear, victim, attacker


def said(topic: str, payload: bytes = FORGED, qos: int = 1, retained: bool = False) -> Outgoing:
    return Outgoing(topic=topic, payload=payload, qos=qos, retained=retained)


def refusal(carrier: MqttCarrier) -> CarrierFailed:
    with pytest.raises(CarrierFailed) as failed:
        carrier.open(timeout=5)
    return failed.value


def proof(ear: MqttCarrier, node: MqttCarrier, name: str) -> None:
    """Fail unless the next thing the controller hears is what this node says now."""
    assert node.send(said(topics.up(5, name, Up.EVENT), b"proof"))
    assert [one.payload for one in heard(ear)] == [b"proof"]


# --- a device against the others -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1])
def test_what_a_device_says_in_anothers_name_or_in_the_controllers_reaches_nobody(
    guarded: GuardedBroker, qos: int
) -> None:
    foreign = [
        *(topics.up(5, OTHER, channel) for channel in Up),
        *(topics.down(5, OTHER, channel) for channel in Down),
        *(topics.down(5, NODE, channel) for channel in Down),
        topics.CONTROLLER_PRESENCE,
        f"archipel/1/05/{OTHER}/up",
        f"$MQTT/msgs/{topics.down(5, OTHER, Down.COMMAND)}",  # where nats-server keeps what is on its way
        f"$MQTT/msgs/{topics.up(5, OTHER, Up.EVENT)}",
        f"$MQTT/rmsgs/{topics.up(5, OTHER, Up.PRESENCE)}",
    ]
    with three(guarded) as (ear, victim, attacker):
        for topic in foreign:
            try:
                assert attacker.send(said(topic, qos=qos, retained=True))
                settled(attacker)
            except CarrierFailed:
                attacker.open()  # some are answered by ending the connection
        silence(attacker, 0.05)
        proof(ear, attacker, NODE)
        silence(victim, 0.2)
    with opened(guarded.carrier(CONTROLLER), topics.ALL_UP, topics.CONTROLLER_PRESENCE) as late:
        silence(late, 0.2)  # nothing was kept either


def test_what_is_said_to_others_is_heard_by_no_device_whatever_it_subscribes_to(
    guarded: GuardedBroker,
) -> None:
    wanted = (
        "#", "+/#", "archipel/#", "archipel/1/+/+/down/#", topics.down_filter(5, OTHER), topics.ALL_UP,
        topics.up(5, OTHER, Up.STATE), f"archipel/1/05/{OTHER}/#", "$MQTT/#", "$MQTT/sub/#", "$MQTT/msgs/#",
        "$JS/#", "$SYS/#", f"$share/x/{topics.down_filter(5, OTHER)}",
    )  # fmt: skip
    with three(guarded) as (ear, victim, attacker):
        for one in wanted:
            try:
                attacker.subscribe([(one, 1)], timeout=2)
            except CarrierFailed:
                attacker.open()
        for qos in (0, 1):
            assert ear.send(said(topics.down(5, OTHER, Down.COMMAND), b"for you alone", qos))
            assert victim.send(said(topics.up(5, OTHER, Up.STATE), b"from me alone", qos))
        assert len(heard(ear, 2)) == len(heard(victim, 2)) == 2
        heard_by_attacker = [one for one in attacker.receive(0.3) if isinstance(one, Incoming)]
        assert [one.topic for one in heard_by_attacker if OTHER in one.topic or b"alone" in one.payload] == []


def test_a_will_in_anothers_name_reaches_nobody(guarded: GuardedBroker) -> None:
    with three(guarded) as (ear, victim, attacker):
        attacker.close()
        for topic in (topics.up(5, OTHER, Up.PRESENCE), topics.down(5, OTHER, Down.COMMAND)):
            try:
                attacker.open(said(topic, retained=True))
            except CarrierFailed:
                continue  # nats-server does not even let it in
            attacker.close(orderly=False)
        silence(victim, 0.3)
        told = [one for one in ear.receive(0.3) if isinstance(one, Incoming)]
        assert [one.topic for one in told if OTHER in one.topic] == []
        silence(ear, 0.1)
        attacker.open()


def test_who_comes_with_anothers_client_id_or_user_is_still_only_itself(guarded: GuardedBroker) -> None:
    with three(guarded) as (ear, victim, attacker):
        attacker.close()
        for user in ("", OTHER, f"CN={OTHER}", CONTROLLER, f"CN={CONTROLLER}"):
            url = BrokerUrl("127.0.0.1", guarded.port, user, "x" if user else "", scheme="mqtts")
            thief = MqttCarrier(url, "", tls=guarded.pki.context(NODE))
            thief._client_id = OTHER
            try:
                thief.open()
                assert thief.send(said(topics.down(5, OTHER, Down.COMMAND)))
                assert thief.send(said(topics.up(5, OTHER, Up.STATE)))
                settled(thief)
                thief.close()
            except CarrierFailed:
                pass  # a user beside a certificate may be refused as well
        silence(victim, 0.2)  # neither forged words nor the end of its connection
        proof(ear, victim, OTHER)
        attacker.open()


def test_a_client_id_over_tls_cannot_be_guessed(guarded: GuardedBroker) -> None:
    one, two = guarded.carrier(NODE)._client_id, guarded.carrier(NODE)._client_id
    assert one != two and len(one) == len(NODE) + 17 and one.startswith(NODE)


def test_a_message_above_the_limit_ends_the_connection_of_who_sent_it_and_no_other(
    guarded: GuardedBroker,
) -> None:
    with three(guarded) as (ear, victim, _):
        raw = guarded.pki.context(NODE)().wrap_socket(
            socket.create_connection(("127.0.0.1", guarded.port), 5), server_hostname="127.0.0.1"
        )
        with raw:
            raw.sendall(speech.connect(b"raw"))
            answer = speech.read(raw)
            assert answer is not None and answer.kind == speech.CONNACK
            try:
                raw.sendall(
                    speech.publish(topics.up(5, NODE, Up.EVENT).encode(), b"x" * (PACKET_LIMIT + 1), 1)
                )
                assert speech.read(raw) is None
            except (ConnectionError, ssl.SSLError):
                pass
        proof(ear, victim, OTHER)


# --- who has no valid certificate ---------------------------------------------------------------------------------------


def test_nobody_comes_in_without_a_certificate_of_ours_and_is_told_why(guarded: GuardedBroker) -> None:
    pki = guarded.pki
    pki.issue(NODE, "expired", at=OLD)
    pki.issue(NODE, "early", at=pki.now + timedelta(days=30))
    pki.issue(NODE, "of-a-stranger", by=pki.stranger)
    for url in (guarded.url, guarded.websocket_url):
        for label, why in (
            ("", "asks for one"), ("expired", "has ended"), ("early", ""), ("of-a-stranger", ""),
        ):  # fmt: skip
            failed = refusal(MqttCarrier(url, NODE, tls=pki.context(label)))
            assert failed.code == "link-tls-refused", (url, label, str(failed))
            assert why in str(failed), (url, label)


def test_without_tls_nobody_comes_in(guarded: GuardedBroker) -> None:
    failed = refusal(MqttCarrier(BrokerUrl("127.0.0.1", guarded.port), NODE))
    assert failed.code in ("link-broker-away", "link-broker-wrong")


def test_a_broker_of_another_fleet_or_with_another_name_gets_nothing_from_us(guarded: GuardedBroker) -> None:
    pki = guarded.pki
    for scheme, port, path in (("mqtts", guarded.port, ""), ("wss", guarded.websocket_port, "/mqtt")):
        url = BrokerUrl("127.0.0.1", port, scheme=scheme, path=path)
        of_another = refusal(MqttCarrier(url, NODE, tls=pki.context(NODE, pki.stranger.pem)))
        elsewhere = BrokerUrl("127.0.0.2", port, scheme=scheme, path=path)
        named_otherwise = (
            refusal(MqttCarrier(elsewhere, NODE, tls=pki.context(NODE)))
            if _listens(elsewhere)
            else of_another
        )
        assert of_another.code == named_otherwise.code == "link-tls-wrong-broker"


def _listens(url: BrokerUrl) -> bool:
    try:
        socket.create_connection((url.host, url.port), 1).close()
    except OSError:
        return False
    return True


# --- who is new, and who is revoked --------------------------------------------------------------------------------------


def test_a_new_device_comes_in_after_a_reload_and_all_others_stay_connected(
    own_guarded: GuardedBroker,
) -> None:
    broker = own_guarded
    with three(broker) as (ear, victim, attacker):
        broker.admit(NODE, OTHER, LATE)
        with opened(broker.carrier(LATE)) as late:
            proof(ear, late, LATE)
        proof(ear, victim, OTHER)
        proof(ear, attacker, NODE)


def test_a_revoked_device_says_and_hears_nothing_any_more_and_does_not_come_back(
    own_guarded: GuardedBroker,
) -> None:
    broker = own_guarded
    ways = [broker.carrier(OTHER), broker.over_websocket(OTHER)]
    with (
        opened(broker.carrier(CONTROLLER, manual_ack=True), topics.ALL_UP) as ear,
        opened(broker.carrier(NODE), topics.down_filter(5, NODE)) as node,
        ExitStack() as stack,
    ):
        for one in ways:
            stack.callback(one.close)
            one.open()
            one.subscribe([(topics.down_filter(5, OTHER), 1)])
            if isinstance(broker, GuardedMosquitto):
                one.close()  # one client id for one certificate
        ways[0].open()
        ways[0].subscribe([(topics.down_filter(5, OTHER), 1)])
        broker.admit(NODE, revoked=(OTHER,))
        if isinstance(broker, GuardedNats):
            assert lost(ways[0]).code == lost(ways[1]).code == "link-broker-away"
        else:
            assert ear.send(said(topics.down(5, OTHER, Down.COMMAND)))
            assert ways[0].send(said(topics.up(5, OTHER, Up.EVENT)))
            assert not [one for one in ways[0].receive(0.3) if not isinstance(one, Lost)]
            silence(ear, 0.1)
        assert refusal(broker.carrier(OTHER)).code in ("link-tls-refused", "link-broker-refused")
        try:
            ways[1].open()  # mosquitto may not look at its list there, so rights by name must do
            assert ways[1].send(said(topics.up(5, OTHER, Up.EVENT)))
            silence(ways[1], 0.1)
        except CarrierFailed as refused:
            assert refused.code in ("link-tls-refused", "link-broker-refused")
        silence(ear, 0.1)
        proof(ear, node, NODE)  # who was there stays
        assert ear.send(said(topics.down(5, NODE, Down.ACK), b"still"))
        assert heard(node)[0].payload == b"still"


def test_a_resumed_tls_session_does_not_bring_a_revoked_device_back(own_guarded: GuardedBroker) -> None:
    broker = own_guarded
    context = broker.pki.context(OTHER)()
    context.options &= ~ssl.OP_NO_TICKET
    context.maximum_version = (
        ssl.TLSVersion.TLSv1_2
    )  # where a client has its ticket at the end of the handshake
    first = _raw(broker, context)
    session = first.session
    first.close()
    broker.admit(NODE, revoked=(OTHER,))
    try:
        again = _raw(broker, context, session)
    except (ConnectionError, ssl.SSLError):
        return
    with again:
        answer = speech.read(again)
        assert answer is None or answer.content[1] != 0


def _raw(
    broker: GuardedBroker, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    line = socket.create_connection(("127.0.0.1", broker.port), 5)
    try:
        made = context.wrap_socket(line, server_hostname="127.0.0.1", session=session)
    except BaseException:
        line.close()
        raise
    made.sendall(speech.connect(b"raw"))
    return made


def test_a_list_of_revoked_certificates_past_its_end_locks_everybody_out_of_mosquitto(
    guarded_mosquitto: GuardedMosquitto,
) -> None:
    # Why the list is renewed daily and lasts three months; nats-server reads none.
    broker = guarded_mosquitto
    with (
        opened(broker.carrier(CONTROLLER, manual_ack=True), topics.ALL_UP) as ear,
        opened(broker.carrier(NODE)) as node,
    ):
        broker.admit(NODE)
        for seconds, lets_in in ((3600, True), (-5, False)):
            until = broker.pki.now + timedelta(seconds=seconds) - timedelta(days=90)
            (broker.directory / "revoked.pem").write_bytes(broker.pki.authority.revocations((), until))
            broker.hang_up()
            if lets_in:
                with opened(broker.carrier(OTHER)):
                    pass
            else:
                assert refusal(broker.carrier(OTHER)).code == "link-tls-refused"
        proof(ear, node, NODE)  # connections that stand are not touched


def test_a_certificate_that_ends_while_connected_ends_no_connection(guarded: GuardedBroker) -> None:
    # A fact to know: brokers look at dates during the handshake only. Short certificates are no revocation.
    pki, label = guarded.pki, f"ending-{guarded.name}"
    pki.issue(
        NODE,
        label,
        at=pki.now - timedelta(days=365) + timedelta(seconds=time.time() - pki.now.timestamp() + 1.5),
    )
    node = MqttCarrier(guarded.url, NODE, tls=pki.context(label))
    with opened(guarded.carrier(CONTROLLER, manual_ack=True), topics.ALL_UP) as ear, opened(node):
        silence(node, 1.8)
        proof(ear, node, NODE)
        assert refusal(MqttCarrier(guarded.url, NODE, tls=pki.context(label))).code == "link-tls-refused"
