"""Messages through the carrier against brokers that misbehave: what each trap would do, and that it does not."""

import threading
import time

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link import mqtt
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import Incoming, Lost, Outgoing
from archipel_contract.link.envelope import WIRE_LIMIT
from archipel_contract.link.mqtt import MqttCarrier
from tests.brokers import speech
from tests.brokers.listening import heard, lost, settled
from tests.brokers.scripted import Line, ScriptedBroker
from tests.brokers.servers import free_port
from tests.contract.link.playing import NODE, carrier, refused, said

# --- sending ---------------------------------------------------------------------------------------------------------


def test_a_message_too_large_for_any_broker_is_refused_and_those_behind_it_go_on() -> None:
    came: list[speech.Packet] = []

    def play(line: Line) -> None:
        line.accept()
        came.extend(line.hear_out())

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert refused(lambda: link.send(said(b"x" * (WIRE_LIMIT + 1)))).code == "message-oversized"
        for number in range(5):
            assert link.send(said(b"%d" % number, qos=0))
        link.close()
    assert [one.content[-1:] for one in came[:5]] == [b"0", b"1", b"2", b"3", b"4"]
    assert came[5].kind == speech.DISCONNECT


def test_what_a_broken_connection_left_unacknowledged_is_never_sent_again_by_the_carrier() -> None:
    came: list[list[bytes]] = []

    def play(line: Line) -> None:
        line.accept()
        if broker.connections == 1:
            line.hear()  # the message that would come back for ever
            return
        came.append([one.content[-4:] for one in line.hear_out() if one.kind == speech.PUBLISH])

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert link.send(said(b"old1"))
        lost(link)
        assert link.unsent() == 0
        link.open()
        assert link.unsent() == 0
        assert link.send(said(b"new1", qos=0))
        link.close()
    assert came == [[b"new1"]]


def test_more_messages_than_there_are_identifiers_never_run_out_of_them() -> None:
    seen: list[int] = []

    def play(line: Line) -> None:
        line.accept()
        for _ in range(100):
            one = line.hear()
            assert one is not None
            seen.append(int.from_bytes(one.content[3:5], "big"))
            line.say(speech.puback(seen[-1]))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert link._client is not None
        link._client._last_mid = 65_500  # as after so many messages
        for _ in range(100):
            while not link.send(Outgoing(topic="t", payload=b"", qos=1)):
                link.receive(5)
        assert settled(link) == []
        link.close()
    assert seen == [*range(65_501, 65_536), *range(1, 66)]


def test_a_full_window_says_no_and_receive_returns_when_there_is_room() -> None:
    go_on = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        asked = [
            one.content[len("archipel/1/00/n/up/event") + 2 :][:2]
            for one in (line.hear() for _ in range(3))
            if one
        ]
        go_on.wait(5)
        for identifier in asked:
            line.say(speech.packet(speech.PUBACK, identifier))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = MqttCarrier(broker.url, NODE, window=3)
        link.open()
        assert [link.send(said()) for _ in range(4)] == [True, True, True, False]
        assert link.send(said(qos=0))  # the window is about what waits to be acknowledged
        assert link.receive(0.05) == () and link.unsent() == 3
        go_on.set()
        began = time.monotonic()
        assert link.receive(5) == () and time.monotonic() - began < 4
        assert link.send(said())
        link.close()


def test_a_network_that_takes_nothing_fills_up_to_the_limit_and_no_further() -> None:
    over = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        over.wait(8)

    with ScriptedBroker(play) as broker:
        link = MqttCarrier(broker.url, NODE)
        link.open()
        taken = 0
        while link.send(said(b"x" * 100_000, qos=0)):
            taken += 1
            assert taken < 500, "nothing ever said no"
        assert link.unsent() > 0
        over.set()
        link.close(orderly=False)


# --- receiving -------------------------------------------------------------------------------------------------------


def test_a_message_is_acknowledged_only_when_we_say_so() -> None:
    acknowledged: list[int] = []
    asked = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        line.say(speech.publish(b"t", b"one", 7) + speech.publish(b"t", b"two", 8))
        line.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.hear()
        line.socket.settimeout(5)
        asked.set()
        acknowledged.extend(one.identifier for one in line.hear_out() if one.kind == speech.PUBACK)

    with ScriptedBroker(play) as broker:
        link = carrier(broker, manual_ack=True)
        link.open()
        messages: list[Incoming] = []
        while len(messages) < 2:
            messages += [one for one in link.receive(5) if isinstance(one, Incoming)]
        assert asked.wait(5)
        link.acknowledge(messages[1])
        link.close()
    assert acknowledged == [8]


def test_a_message_that_would_trip_the_library_up_costs_nothing_but_itself() -> None:
    # paho raises when the topic of a message is asked for and is not UTF-8; raised in a callback, that used to end its
    # thread in silence while everything looked connected.
    def play(line: Line) -> None:
        line.accept()
        line.say(speech.publish(b"\xff\xfe", b"bad") + speech.publish(b"t", b"good"))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert [one.payload for one in heard(link)] == [b"good"]
        link.close()


@hypothesis.given(st.binary(min_size=1, max_size=400))
@hypothesis.settings(max_examples=40)
def test_whatever_a_broker_says_ends_in_messages_or_the_end_of_the_connection(noise: bytes) -> None:
    def play(line: Line) -> None:
        line.accept()
        line.say(noise)

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        assert lost(link).code in ("link-broker-away", "link-broker-wrong")


def test_a_packet_that_would_fill_our_memory_is_not_read() -> None:
    def play(line: Line) -> None:
        line.accept()
        line.say(b"\x30" + bytes([0xFF, 0xFF, 0xFF, 0x7F]) + b"\0\1t" + b"x" * 1000)  # 256 MiB announced
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        gone = lost(link)
        assert gone.code == "link-broker-wrong" and "268435455 bytes" in gone.detail


def test_one_receive_returns_no_more_than_a_batch_and_the_rest_follows() -> None:
    def play(line: Line) -> None:
        line.accept()
        line.say(b"".join(speech.publish(b"t", b"%d" % number) for number in range(2500)))
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        batches: list[int] = []
        came: list[bytes] = []
        while len(came) < 2500:
            batch = link.receive(5)
            batches.append(len(batch))
            came += [one.payload for one in batch if isinstance(one, Incoming)]
        assert came == [b"%d" % number for number in range(2500)]
        assert max(batches) == mqtt.AT_ONCE
        link.close()


def test_a_flood_of_tiny_messages_waits_in_the_network_and_not_in_our_memory() -> None:
    def play(line: Line) -> None:
        line.accept()
        line.say(speech.publish(b"t", b"") * 30_000)
        line.hear_out()

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        count = 0
        while count < 30_000:
            count += len(link.receive(5))
            assert len(link._inbox) < 2 * mqtt.AT_ONCE
        link.close()


def test_wake_ends_a_wait_from_another_thread_connected_or_not() -> None:
    link = MqttCarrier(BrokerUrl("127.0.0.1", free_port()), NODE)
    waker = threading.Timer(0.1, link.wake)
    waker.start()
    began = time.monotonic()
    assert link.receive(9) == () and 0.05 < time.monotonic() - began < 5
    waker.join()
    link.wake()  # also when nobody waits yet
    assert link.receive(9) == () and time.monotonic() - began < 6


def test_a_connection_that_breaks_under_an_acknowledgement_is_said_at_once() -> None:
    gone = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        line.say(speech.publish(b"t", b"one", 1))
        time.sleep(0.1)
        line.reset()
        gone.set()

    with ScriptedBroker(play) as broker:
        link = carrier(broker, manual_ack=True)
        link.open()
        (one,) = link.receive(5)
        assert isinstance(one, Incoming) and gone.wait(5)
        began = time.monotonic()
        link.acknowledge(one)
        assert isinstance(link.receive(5)[0], Lost) and time.monotonic() - began < 4


def test_a_message_of_a_connection_that_is_gone_is_never_acknowledged_on_the_next() -> None:
    # Identifiers begin anew, so it would acknowledge another message, which nobody has dealt with.
    said_later: list[int] = []

    def play(line: Line) -> None:
        line.accept()
        line.say(speech.publish(b"t", b"%d" % broker.connections, 1))
        said_later.extend(one.kind for one in line.hear_out())

    with ScriptedBroker(play) as broker:
        link = carrier(broker, manual_ack=True)
        link.open()
        (old,) = link.receive(5)
        assert isinstance(old, Incoming)
        link.close()
        link.acknowledge(old)
        link.open()
        (new,) = link.receive(5)
        assert isinstance(new, Incoming) and new.payload == b"2"
        link.acknowledge(old)
        link.close()
    assert said_later == [speech.DISCONNECT, speech.DISCONNECT]


def test_a_wake_that_comes_while_connecting_is_for_the_next_receive(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0
    turn = MqttCarrier._turn

    def counted(self: MqttCarrier, until: float | None) -> bool:
        nonlocal turns
        turns += 1
        return turn(self, until)

    def play(line: Line) -> None:
        time.sleep(0.2)
        line.accept()
        line.hear_out()

    monkeypatch.setattr(MqttCarrier, "_turn", counted)
    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.wake()
        link.open()
        assert turns < 10, f"{turns} turns to wait for one answer"
        began = time.monotonic()
        assert link.receive(5) == () and time.monotonic() - began < 4
        link.close()
