"""Carriers that are open for a while, and what is said through them: shared by the tests of real brokers."""

from collections.abc import Generator
from contextlib import contextmanager

from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.mqtt import MqttCarrier


def said(topic: str, payload: bytes = b"x", qos: int = 1, retained: bool = False) -> Outgoing:
    """A message."""
    return Outgoing(topic=topic, payload=payload, qos=qos, retained=retained)


@contextmanager
def opened(
    carrier: MqttCarrier, *filters: str, will: Outgoing | None = None
) -> Generator[MqttCarrier, None, None]:
    """A carrier that is connected and hears what these filters let through, until the end of the block."""
    carrier.open(will)
    try:
        if filters:
            carrier.subscribe([(one, 1) for one in filters])
        yield carrier
    finally:
        carrier.close()
