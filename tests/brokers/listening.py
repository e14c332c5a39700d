"""Waiting for what real brokers deliver: bounded, and with what did come in the failure."""

import time

from archipel_contract.link.carrier import Arrived, Carrier, Incoming, Lost

PATIENCE = 10.0


def heard(carrier: Carrier, count: int = 1, seconds: float = PATIENCE) -> list[Incoming]:
    """Return the next `count` messages, acknowledged; fail when they do not come, or the connection ends."""
    messages: list[Incoming] = []
    until = time.monotonic() + seconds
    while len(messages) < count:
        for one in carrier.receive(max(0.0, until - time.monotonic())):
            assert isinstance(one, Incoming), f"after {len(messages)} of {count} messages: {one}"
            carrier.acknowledge(one)
            messages.append(one)
        assert time.monotonic() < until or len(messages) >= count, f"{len(messages)} of {count} messages came"
    return messages


def silence(carrier: Carrier, seconds: float = 0.3) -> None:
    """Fail when anything arrives within `seconds`."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        arrived = carrier.receive(left)
        assert not arrived, f"nothing was expected: {arrived}"


def lost(carrier: Carrier, seconds: float = PATIENCE) -> Lost:
    """Return the end of the connection, letting messages before it pass."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for one in carrier.receive(until - time.monotonic()):
            if isinstance(one, Lost):
                return one
    raise AssertionError(f"the connection did not end within {seconds:g} s")


def settled(carrier: Carrier, seconds: float = PATIENCE) -> list[Arrived]:
    """Return once the broker has acknowledged all that was sent, with what arrived meanwhile."""
    arrived: list[Arrived] = []
    until = time.monotonic() + seconds
    while carrier.unsent():
        assert time.monotonic() < until, f"{carrier.unsent()} messages were not acknowledged"
        arrived += carrier.receive(0.01)
    return arrived
