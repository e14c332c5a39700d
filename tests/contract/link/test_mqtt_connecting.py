"""The carrier's beginnings against brokers that misbehave: what each trap of MQTT and of its library would do."""

import gc
import os
import resource
import socket
import time

import pytest

from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from tests.brokers import speech
from tests.brokers.listening import heard, lost
from tests.brokers.scripted import Line, ScriptedBroker
from tests.brokers.servers import free_port
from tests.contract.link.playing import NODE, carrier, refused, said

# --- connecting ------------------------------------------------------------------------------------------------------


def test_we_speak_mqtt_3_1_1_with_a_clean_session_our_id_and_our_keepalive() -> None:
    first: list[speech.Packet] = []
    with ScriptedBroker(lambda line: first.append(line.accept())) as broker:
        link = carrier(broker, keepalive=77)
        link.open(Outgoing(topic="t", payload=b"gone", qos=1, retained=True))
        lost(link)
    name, level, flags = first[0].content[:6], first[0].content[6], first[0].content[7]
    assert (name, level) == (speech.text(b"MQTT"), 4)
    assert flags == 0b00101110  # retained will of QoS 1, clean session, no user
    assert first[0].content[8:] == b"\0\x4d" + speech.text(NODE.encode()) + speech.text(b"t") + speech.text(
        b"gone"
    )


def test_user_and_password_are_sent_and_never_shown() -> None:
    first: list[speech.Packet] = []
    with ScriptedBroker(lambda line: first.append(line.accept())) as broker:
        url = BrokerUrl(broker.url.host, broker.url.port, "fleet", "secret")
        link = MqttCarrier(url, NODE)
        link.open()
        gone = lost(link)
    assert first[0].content.endswith(speech.text(b"fleet") + speech.text(b"secret"))
    assert "secret" not in gone.detail + repr(url) + str(url)


def test_a_broker_that_is_not_there_is_away() -> None:
    failed = refused(MqttCarrier(BrokerUrl("127.0.0.1", free_port()), NODE).open)
    assert failed.code == "link-broker-away" and "refused" in str(failed)


def test_a_broker_that_takes_the_connection_and_says_nothing_is_away_after_the_timeout() -> None:
    with ScriptedBroker(lambda line: line.hear_out()) as broker:
        began = time.monotonic()
        failed = refused(lambda: carrier(broker).open(timeout=0.3))
        assert failed.code == "link-broker-away" and "did not accept" in str(failed)
        assert 0.3 <= time.monotonic() - began < 2


def test_a_port_whose_queue_is_full_is_away_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        url = BrokerUrl("127.0.0.1", full.getsockname()[1])
        began = time.monotonic()
        assert refused(lambda: MqttCarrier(url, NODE).open(timeout=0.5)).code == "link-broker-away"
        assert time.monotonic() - began < 3
        for one in filling:
            one.close()


def test_a_broker_that_hangs_up_without_a_word_is_away() -> None:
    with ScriptedBroker(lambda line: line.hear()) as broker:
        link = carrier(broker)
        assert refused(link.open).code == "link-broker-away"
        assert link.receive(0) == ()  # what never stood cannot be lost


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", id="http"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", id="ssh"),
        pytest.param(bytes.fromhex("15030300020246"), id="tls-alert"),
        pytest.param(b"220 mail.example ESMTP\r\n", id="smtp"),
        pytest.param(b"@\x02\0\x01", id="an-mqtt-packet-that-is-no-connack"),
    ],
)
def test_what_answers_but_is_no_broker_is_the_wrong_one_at_once(greeting: bytes) -> None:
    def play(line: Line) -> None:
        line.say(greeting)
        line.hear_out()

    with ScriptedBroker(play) as broker:
        began = time.monotonic()
        failed = refused(lambda: carrier(broker).open(timeout=9))
        assert failed.code == "link-broker-wrong" and time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("code", "why"), [(2, "dentifier"), (3, "navailable"), (4, "assword"), (5, "uthorized")]
)
def test_a_broker_that_refuses_says_why(code: int, why: str) -> None:
    def play(line: Line) -> None:
        line.hear()
        line.say(speech.connack(code))

    with ScriptedBroker(play) as broker:
        failed = refused(carrier(broker).open)
        assert failed.code == "link-broker-refused" and why in str(failed)


def test_a_broker_that_knows_no_mqtt_3_1_1_is_the_wrong_one_and_no_older_version_is_tried() -> None:
    def play(line: Line) -> None:
        line.hear()
        line.say(speech.connack(1))

    with ScriptedBroker(play) as broker:
        assert refused(carrier(broker).open).code == "link-broker-wrong"
        time.sleep(0.1)
        assert broker.connections == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "broker.example", "::2", "0.0.0.0", "127.0.0.1.example"])
def test_a_broker_on_another_machine_is_refused_before_anything_is_looked_up(host: str) -> None:
    failed = refused(MqttCarrier(BrokerUrl(host), NODE).open)
    assert failed.code == "link-not-loopback"


def test_a_failed_attempt_leaves_nothing_open_and_nothing_to_receive() -> None:
    link = MqttCarrier(BrokerUrl("127.0.0.1", free_port()), NODE)
    gc.collect()  # what earlier tests left
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        refused(link.open)
    assert len(os.listdir("/proc/self/fd")) <= before
    assert link.receive(0) == ()


def test_more_than_a_thousand_open_files_do_not_matter() -> None:
    # A library that waits by select(2) breaks at descriptor 1024.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < 1100:
            held.append(os.dup(held[0]))

        def play(line: Line) -> None:
            line.accept()
            line.say(speech.publish(b"t", b"heard"))
            line.hear_out()

        with ScriptedBroker(play) as broker:
            link = carrier(broker)
            link.open()
            assert heard(link)[0].payload == b"heard"
            link.close()
    finally:
        for one in held:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- subscribing -----------------------------------------------------------------------------------------------------


def test_a_refused_filter_is_named() -> None:
    def play(line: Line) -> None:
        line.accept()
        asked = line.hear()
        assert asked is not None and asked.kind == speech.SUBSCRIBE
        line.say(speech.suback(asked.identifier, 1, 0x80))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        failed = refused(lambda: link.subscribe([("fine/#", 1), ("secret/#", 1)]))
        assert failed.code == "link-broker-refused"
        assert "secret/#" in str(failed) and "fine" not in str(failed)
        link.close()


def test_a_filter_the_answer_says_nothing_about_counts_as_refused() -> None:
    def play(line: Line) -> None:
        line.accept()
        asked = line.hear()
        assert asked is not None
        line.say(speech.suback(asked.identifier, 1))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert "secret/#" in str(refused(lambda: link.subscribe([("fine/#", 1), ("secret/#", 1)])))
        link.close()


def test_a_refusal_long_after_the_connection_stood_ends_it() -> None:
    def play(line: Line) -> None:
        line.accept()
        line.hear()
        line.say(speech.connack(5))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert link.send(said())
        assert lost(link, 3).code == "link-broker-refused"


def test_a_subscription_that_is_never_granted_fails_in_time_and_one_whose_broker_goes_fails_at_once() -> None:
    def play(line: Line) -> None:
        line.accept()
        if broker.connections == 1:
            line.hear_out()
        else:
            line.hear()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert "did not grant" in str(refused(lambda: link.subscribe([("x", 1)], timeout=0.2)))
        link.open()
        failed = refused(lambda: link.subscribe([("x", 1)], timeout=9))
        assert failed.code == "link-broker-away" and "closed" in str(failed)


def test_what_arrives_while_subscribing_is_not_lost() -> None:
    def play(line: Line) -> None:
        line.accept()
        asked = line.hear()
        assert asked is not None
        line.say(speech.publish(b"x", b"early") + speech.suback(asked.identifier, 1))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        link.subscribe([("x", 1)])
        assert heard(link)[0].payload == b"early"
        link.close()
