"""A carrier to a scripted broker, a message, and what a refusal said: for the tests of `mqtt`."""

from collections.abc import Callable

import pytest

from archipel_contract.link.carrier import CarrierFailed, Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from tests.brokers.scripted import ScriptedBroker

NODE = "n-0123456789abcdef"


def carrier(broker: ScriptedBroker, manual_ack: bool = False, keepalive: int = 60) -> MqttCarrier:
    return MqttCarrier(broker.url, NODE, manual_ack=manual_ack, keepalive=keepalive)


def said(payload: bytes = b"x", qos: int = 1) -> Outgoing:
    return Outgoing(topic="archipel/1/00/n/up/event", payload=payload, qos=qos)


def refused(act: Callable[[], object]) -> CarrierFailed:
    with pytest.raises(CarrierFailed) as failed:
        act()
    return failed.value
