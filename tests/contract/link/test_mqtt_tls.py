"""The carrier over TLS against servers that misbehave: what each trap of TLS would do, and the code each one has."""

import contextlib
import os
import socket
import ssl
import threading
import time
from datetime import timedelta

import pytest

from archipel_contract.link import secure
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import Incoming, Lost
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.secure import TlsUnusable
from tests.brokers import speech
from tests.brokers.guarded import OLD, Pki
from tests.brokers.listening import heard, lost, silence
from tests.brokers.scripted import Line, ScriptedBroker
from tests.brokers.servers import free_port
from tests.contract.link.playing import NODE, refused, said


def carrier(broker: ScriptedBroker, pki: Pki, keepalive: int = 60) -> MqttCarrier:
    url = BrokerUrl("127.0.0.1", broker.port, scheme="mqtts")
    return MqttCarrier(url, NODE, tls=pki.context(NODE), keepalive=keepalive)


def accept(line: Line) -> None:
    line.accept()
    line.hear_out()


# --- the handshake ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_3_is_spoken_where_the_broker_can_and_1_2_where_not(version: ssl.TLSVersion, pki: Pki) -> None:
    serving = pki.serving()
    serving.maximum_version = version
    spoken: list[str | None] = []

    def play(line: Line) -> None:
        assert isinstance(line.socket, ssl.SSLSocket)
        spoken.append(line.socket.version())
        accept(line)

    with ScriptedBroker(play, serving) as broker:
        link = carrier(broker, pki)
        link.open()
        link.close()
    assert spoken == [version.name.replace("_", ".")]


def test_a_broker_that_takes_the_connection_and_never_answers_to_tls_is_away_in_time(pki: Pki) -> None:
    with ScriptedBroker(lambda line: line.hear_out()) as broker:
        began = time.monotonic()
        failed = refused(lambda: carrier(broker, pki).open(timeout=0.3))
        assert failed.code == "link-broker-away" and "TLS in time" in str(failed)
        assert time.monotonic() - began < 2


def test_a_handshake_that_drips_is_given_up_in_time(pki: Pki) -> None:
    def play(line: Line) -> None:
        until = time.monotonic() + 3
        line.say(bytes.fromhex("16030300ff"))  # the head of a long record
        with contextlib.suppress(OSError):
            while time.monotonic() < until:
                line.socket.sendall(b"\x02")
                time.sleep(0.05)

    with ScriptedBroker(play) as broker:
        began = time.monotonic()
        assert refused(lambda: carrier(broker, pki).open(timeout=0.4)).code == "link-broker-away"
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="http"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", id="ssh"),
        pytest.param(b"\x20\x02\0\0\xd0\0", id="mqtt-without-tls"),
        pytest.param(b"\x16\x03\x03\x00\x04\xff\xff\xff\xff", id="nonsense-in-a-record"),
        pytest.param(b"\x15\x03\x03\x00\x02\x02\x28", id="an-alert-handshake-failure"),
    ],
)
def test_what_speaks_no_tls_with_us_is_the_wrong_one_at_once(greeting: bytes, pki: Pki) -> None:
    def play(line: Line) -> None:
        line.say(greeting)
        line.hear_out()

    with ScriptedBroker(play) as broker:
        began = time.monotonic()
        failed = refused(lambda: carrier(broker, pki).open(timeout=9))
        assert failed.code == "link-broker-wrong" and time.monotonic() - began < 3


def test_a_broker_that_hangs_up_during_the_handshake_is_away(pki: Pki) -> None:
    for end in (lambda line: None, lambda line: line.reset()):
        with ScriptedBroker(end) as broker:
            assert refused(carrier(broker, pki).open).code == "link-broker-away"


def test_a_chain_of_certificates_without_end_fills_no_memory(pki: Pki) -> None:
    with ScriptedBroker(accept, pki.serving("chain", chain=400)) as broker:
        failed = refused(carrier(broker, pki).open)
        assert failed.code == "link-broker-wrong" and "excessive" in str(failed)


# --- whose certificate -----------------------------------------------------------------------------------------------


def test_a_certificate_of_another_ca_or_for_another_name_is_the_wrong_broker_and_gets_no_word_of_ours(
    pki: Pki,
) -> None:
    heard_by_it: list[object] = []
    for serving in (
        pki.serving("stranger", by=pki.stranger),
        pki.serving("elsewhere", names=("broker.example", "127.0.0.2")),
    ):
        with ScriptedBroker(heard_by_it.append, serving) as broker:
            failed = refused(carrier(broker, pki).open)
            assert failed.code == "link-tls-wrong-broker"
            assert broker.connections == 1
        assert heard_by_it == [] and len(broker.refusals) == 1


@pytest.mark.parametrize("when", ["ended", "early"])
def test_a_certificate_that_does_not_fit_the_clock_is_a_matter_of_time_and_of_no_clock_at_all(
    when: str, pki: Pki
) -> None:
    at = OLD - timedelta(days=400) if when == "ended" else pki.now + timedelta(days=30)
    with ScriptedBroker(accept, pki.serving(when, at=at)) as broker:
        failed = refused(carrier(broker, pki).open)
        assert failed.code == "link-tls-time" and "clock" in str(failed)
        path = pki.issue(NODE)
        unsure = MqttCarrier(
            broker.url,
            NODE,
            tls=lambda: secure.client_context(
                [pki.authority.pem.decode()], path, path.with_suffix(".key"), check_time=False
            ),
        )
        unsure.open()
        unsure.close()


def test_without_a_usable_certificate_of_our_own_nothing_is_connected_to(pki: Pki) -> None:
    def unusable() -> ssl.SSLContext:
        raise TlsUnusable("device.pem: the key is missing")

    with ScriptedBroker(accept) as broker:
        url = BrokerUrl("127.0.0.1", broker.port, scheme="mqtts")
        assert refused(MqttCarrier(url, NODE).open).code == "link-tls-unusable"
        failed = refused(MqttCarrier(url, NODE, tls=unusable).open)
        assert failed.code == "link-tls-unusable" and "the key is missing" in str(failed)
        time.sleep(0.05)
        assert broker.connections == 0


def test_a_context_is_made_anew_for_each_connection_so_that_renewed_files_take_effect(pki: Pki) -> None:
    made: list[ssl.SSLContext] = []

    def tls() -> ssl.SSLContext:
        made.append(pki.context(NODE)())
        return made[-1]

    with ScriptedBroker(accept, pki.serving()) as broker:
        link = MqttCarrier(broker.url, NODE, tls=tls)
        link.open()
        link.open()
        link.close()
    assert len(made) == 2 and made[0] is not made[1]


# --- after the handshake ---------------------------------------------------------------------------------------------


def test_many_messages_in_one_record_and_one_message_in_many_records_all_arrive(pki: Pki) -> None:
    large = b"x" * 100_000

    def play(line: Line) -> None:
        line.accept()
        line.say(b"".join(speech.publish(b"t", b"%d" % number) for number in range(500)))
        line.say(speech.publish(b"t", large))
        for byte in speech.publish(b"t", b"drip"):
            line.say(bytes([byte]))
        line.hear_out()

    with ScriptedBroker(play, pki.serving()) as broker:
        link = carrier(broker, pki)
        link.open()
        came = [one.payload for one in heard(link, 502)]
        assert came == [*(b"%d" % number for number in range(500)), large, b"drip"]
        silence(link, 0.05)
        link.close()


def test_messages_in_records_of_their_own_are_all_heard_at_once(pki: Pki) -> None:
    said_all = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        for number in range(200):
            line.say(speech.publish(b"t", b"%d" % number))
        said_all.set()
        line.hear_out()

    with ScriptedBroker(play, pki.serving()) as broker:
        link = carrier(broker, pki)
        link.open()
        assert said_all.wait(10)
        came = [one.payload for one in link.receive(5) if isinstance(one, Incoming)]
        assert came == [b"%d" % number for number in range(200)]
        link.close()


def test_why_it_broke_is_told_after_what_came_before(pki: Pki) -> None:
    said_all = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        line.say(speech.publish(b"t", b"the last word"))
        os.write(line.socket.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))  # a record nobody can decipher
        said_all.set()
        with contextlib.suppress(ssl.SSLError):  # our verdict about that record
            line.hear_out()

    with ScriptedBroker(play, pki.serving()) as broker:
        link = carrier(broker, pki)
        link.open()
        assert said_all.wait(10)
        first, *rest = link.receive(5)
        assert isinstance(first, Incoming) and first.payload == b"the last word"
        gone = rest[0] if rest else lost(link)
        assert isinstance(gone, Lost) and gone.code == "link-broker-away" and "bad record mac" in gone.detail


def test_what_the_network_does_not_take_waits_and_leaves_whole_when_it_does(pki: Pki) -> None:
    came: list[speech.Packet] = []

    def play(line: Line) -> None:
        line.accept()
        time.sleep(0.4)
        came.extend(line.hear_out())

    with ScriptedBroker(play, pki.serving()) as broker:
        link = carrier(broker, pki)
        link.open()
        sent = 0
        while sent < 60 and link.send(said(bytes([sent]) * 100_000, qos=0)):
            sent += 1
        assert sent > 10 and link.unsent() > 0  # our side took more than the network
        until = time.monotonic() + 10
        while link.unsent():
            assert time.monotonic() < until
            link.receive(0.05)
        link.close()
    payloads = [one.content[-100_000:] for one in came if one.kind == speech.PUBLISH]
    assert payloads == [bytes([number]) * 100_000 for number in range(sent)]


@pytest.mark.parametrize("how", ["end", "reset"])
def test_an_end_without_goodbye_and_a_reset_are_both_just_an_end(how: str, pki: Pki) -> None:
    def play(line: Line) -> None:
        line.accept()
        line.hear()
        if how == "end":
            line.socket.shutdown(socket.SHUT_RDWR)
        else:
            line.reset()

    with ScriptedBroker(play, pki.serving()) as broker:
        link = carrier(broker, pki)
        link.open()
        assert link.send(said())
        assert lost(link).code == "link-broker-away"
        assert refused(lambda: link.send(said())).code == "link-broker-away"


def test_a_broker_of_tls_that_is_not_there_is_away(pki: Pki) -> None:
    url = BrokerUrl("127.0.0.1", free_port(), scheme="mqtts")
    assert refused(MqttCarrier(url, NODE, tls=pki.context(NODE)).open).code == "link-broker-away"
