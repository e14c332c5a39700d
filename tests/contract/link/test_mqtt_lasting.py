"""The carrier's life and end against brokers that misbehave: silence, half-open links, goodbyes."""

import threading
import time

import pytest

from archipel_contract.link import buffered, mqtt
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import Lost
from archipel_contract.link.mqtt import MqttCarrier
from tests.brokers import speech
from tests.brokers.listening import lost, silence
from tests.brokers.scripted import Line, ScriptedBroker
from tests.contract.link.playing import NODE, carrier, refused, said

# --- keeping alive ---------------------------------------------------------------------------------------------------


def test_a_half_open_link_is_noticed_after_the_keepalive_and_a_wait_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The library would wait for the answer to its ping for another whole keepalive.
    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 0.5)
    over = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        over.wait(9)  # takes everything, answers nothing

    with ScriptedBroker(play) as broker:
        link = carrier(broker, keepalive=3)
        link.open()
        began = time.monotonic()
        while not (arrived := link.receive(0.2)):
            link.send(said(qos=0))  # sending goes on: nothing tells that nobody is there
            assert time.monotonic() - began < 8
        assert isinstance(arrived[0], Lost) and arrived[0].code == "link-broker-away"
        assert 3.4 < time.monotonic() - began < 5.5
        over.set()
        silence(link, 0.2)
        assert refused(lambda: link.send(said())).code == "link-broker-away"


def test_an_idle_link_does_not_wake_before_its_keepalive(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0
    turn = MqttCarrier._turn

    def counted(self: MqttCarrier, until: float | None) -> bool:
        nonlocal turns
        turns += 1
        return turn(self, until)

    def play(line: Line) -> None:
        line.accept()
        line.hear_out()

    monkeypatch.setattr(MqttCarrier, "_turn", counted)
    with ScriptedBroker(play) as broker:
        link = carrier(broker, keepalive=60)
        link.open()
        turns = 0
        silence(link, 2.2)
        assert turns <= 2, (
            f"{turns} wake-ups in two seconds in which nothing happened"
        )  # the library's own way: one a second
        link.close()


def test_a_caller_that_was_kept_waiting_does_not_take_its_own_absence_for_the_brokers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 0.8)

    def play(line: Line) -> None:
        line.accept()
        while (one := line.hear()) is not None:
            if one.kind == speech.PINGREQ:
                line.say(speech.packet(speech.PINGRESP))

    with ScriptedBroker(play) as broker:
        link = carrier(broker, keepalive=2)
        link.open()
        time.sleep(3.0)  # a database that was busy for longer than keepalive and answer may take
        silence(link, 0.5)
        link.close()


def test_a_keepalive_no_broker_could_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        MqttCarrier(BrokerUrl("127.0.0.1"), NODE, keepalive=1)


# --- ending ----------------------------------------------------------------------------------------------------------


def test_nothing_connects_again_by_itself() -> None:
    with ScriptedBroker(lambda line: line.accept()) as broker:
        link = carrier(broker)
        link.open()
        lost(link)
        silence(link, 1.5)  # the library's own first attempt would come after one second
        assert broker.connections == 1


def test_an_orderly_end_says_goodbye_after_everything_else_even_with_unread_messages() -> None:
    came: list[speech.Packet] = []

    def play(line: Line) -> None:
        line.accept()
        line.say(speech.publish(b"t", b"unread" * 2000) * 100)
        time.sleep(0.3)  # what was sent waits here unread, and a reset would throw it away
        came.extend(line.hear_out())

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        for _ in range(50):
            assert link.send(said(b"x" * 20_000, qos=0))
        link.close()
    assert [one.kind for one in came] == [speech.PUBLISH] * 50 + [speech.DISCONNECT]


def test_closing_without_order_says_nothing_and_closing_twice_does_no_harm() -> None:
    came: list[speech.Packet] = []

    def play(line: Line) -> None:
        line.accept()
        came.extend(line.hear_out())

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        link.close(orderly=False)
        link.close()
    assert came == []


def test_an_orderly_end_towards_a_broker_that_reads_nothing_takes_no_longer_than_its_farewell() -> None:
    over = threading.Event()

    def play(line: Line) -> None:
        line.accept()
        over.wait(9)

    with ScriptedBroker(play) as broker:
        link = carrier(broker)
        link.open()
        while link.send(said(b"x" * 100_000, qos=0)):
            pass
        began = time.monotonic()
        link.close()
        assert time.monotonic() - began < 2 * buffered.FAREWELL_SECONDS + 1
        over.set()
