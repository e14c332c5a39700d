"""A cut link breaks as a dead router breaks it: lost without a farewell, and no broker in reach until it heals."""

import threading
from collections.abc import Callable

import pytest

from archipel_agent.rehearsal.fleet.gate import Gate
from archipel_contract.link.carrier import CarrierFailed, Incoming, Lost, Outgoing
from tests.agent.rehearsal.fleet.carriers import QuietCarrier
from tests.fakes.clock import VirtualClock

WORD = Outgoing(topic="archipel/1/controller/presence", payload=b"")


def test_an_open_gate_changes_nothing() -> None:
    carrier = QuietCarrier()
    gate = Gate(VirtualClock(), carrier)
    carrier.coming = [Incoming(topic="t", payload=b"1")]
    gate.open()
    gate.subscribe([("t", 0)])
    assert gate.send(WORD)
    assert gate.receive(0.0) == (Incoming(topic="t", payload=b"1"),)
    gate.close()
    assert carrier.did == ["open", "subscribe", "close"]


def test_a_cut_link_is_lost_once_and_breaks_without_a_farewell() -> None:
    carrier = QuietCarrier()
    gate = Gate(VirtualClock(), carrier)
    gate.open()
    gate.shut()
    first = gate.receive(None)
    assert [type(one) for one in first] == [Lost]
    assert gate.receive(0.0) == ()
    assert carrier.did[-2:] == ["wake", "break"] or "break" in carrier.did
    assert "close" not in carrier.did


def test_what_arrives_as_the_link_is_cut_does_not_arrive() -> None:
    carrier = QuietCarrier()
    gate = Gate(VirtualClock(), carrier)
    gate.open()
    carrier.coming = [Incoming(topic="t", payload=b"1")]
    gate.shut()
    assert [type(one) for one in gate.receive(0.0)] == [Lost]


@pytest.mark.parametrize("call", ["open", "subscribe", "send"])
def test_while_the_gate_is_shut_no_broker_can_be_reached(call: str) -> None:
    gate = Gate(VirtualClock(), QuietCarrier())
    if call != "open":
        gate.open()
    gate.shut()
    calls: dict[str, Callable[[], object]] = {
        "open": gate.open,
        "subscribe": lambda: gate.subscribe([("t", 0)]),
        "send": lambda: gate.send(WORD),
    }
    gate.give_up()  # or the attempt would wait for an answer
    with pytest.raises(CarrierFailed) as failed:
        calls[call]()
    assert failed.value.code == "link-broker-away"


def test_an_orderly_end_over_a_cut_link_is_none() -> None:
    carrier = QuietCarrier()
    gate = Gate(VirtualClock(), carrier)
    gate.open()
    gate.shut()
    gate.close()
    assert carrier.did[-1] == "break"


def test_an_attempt_over_a_cut_link_gets_no_answer_until_its_time_is_over() -> None:
    gate = Gate(VirtualClock(), QuietCarrier())
    gate.shut()
    with pytest.raises(CarrierFailed):
        gate.open(timeout=0.05)


def test_an_attempt_that_waits_for_an_answer_gets_it_when_the_link_heals() -> None:
    carrier = QuietCarrier()
    gate = Gate(VirtualClock(), carrier)
    gate.shut()
    healing = threading.Timer(0.05, gate.unbar)
    healing.start()
    gate.open(timeout=10)
    healing.join()
    assert carrier.is_open


def test_a_healed_link_connects_again() -> None:
    carrier = QuietCarrier()
    gate = Gate(VirtualClock(), carrier)
    gate.shut()
    gate.unbar()
    gate.open()
    assert gate.send(WORD)


def test_attempts_are_counted_but_not_those_over_a_cut_link() -> None:
    carrier = QuietCarrier()
    gate = Gate(VirtualClock(), carrier)
    gate.open()
    carrier.refuses = "link-broker-refused"
    with pytest.raises(CarrierFailed):
        gate.open()
    gate.shut()
    gate.give_up()
    with pytest.raises(CarrierFailed):
        gate.open()
    assert (gate.connections, list(gate.failures)) == (1, [(100.0, "link-broker-refused")])
