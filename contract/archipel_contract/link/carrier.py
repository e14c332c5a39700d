"""What carries messages, as the link sees it: connect, subscribe, send, receive, and nothing about what they mean.

`mqtt` implements it; tests have a named fake. A carrier never reconnects by itself: when and how often is the link's
decision. Calls may be made from one thread at a time; what arrives is put into a queue, so no lock of ours is ever
taken inside a library's callback.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class CarrierFailed(Exception):
    """The carrier cannot do it now; the message says why in one line. `code` is the finding:

    link-broker-away, link-broker-wrong (no MQTT broker answers there), link-broker-refused, link-not-loopback,
    message-oversized (this message can never be sent); with TLS also link-tls-unusable (our own certificate or key),
    link-tls-refused (the broker takes it not), link-tls-wrong-broker (what answers is not our fleet's),
    link-tls-time (the broker's certificate is not valid by our clock), link-proxy-away, link-proxy-refused.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message for the wire."""

    topic: str
    payload: bytes
    qos: int = 0
    retained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message from the wire; `token` is for `acknowledge`."""

    topic: str
    payload: bytes
    retained: bool = False
    duplicate: bool = False
    token: tuple[int, int] | None = None  # None: nothing to acknowledge (QoS 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The connection ended; said once for each connection."""

    code: str
    detail: str


Arrived = Incoming | Lost


class Carrier(Protocol):
    """One connection at a time."""

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """Connect and return when the broker has accepted, or raise CarrierFailed; a former connection is dropped."""
        ...

    def subscribe(self, filters: Sequence[tuple[str, int]], timeout: float = 30.0) -> None:
        """Subscribe to (filter, qos) pairs; returns when the broker granted them all, or raises CarrierFailed."""
        ...

    def send(self, message: Outgoing) -> bool:
        """Hand a message over; False when the window of unacknowledged messages is full (try again later).

        Raises CarrierFailed when there is no connection, or the message is larger than any broker lets through.
        """
        ...

    def receive(self, timeout: float | None) -> tuple[Arrived, ...]:
        """Return what arrived, waiting up to `timeout` seconds (None: for ever) for the first; empty when nothing came,
        `wake` was called, or there is room again after `send` said no."""
        ...

    def wake(self) -> None:
        """Make a waiting `receive` return; may be called from any thread."""
        ...

    def acknowledge(self, incoming: Incoming) -> None:
        """Tell the broker that an incoming message was dealt with; nothing happens if its connection is gone."""
        ...

    def unsent(self) -> int:
        """Return how many messages handed over have not left, or (QoS 1) not been acknowledged by the broker."""
        ...

    def close(self, orderly: bool = True) -> None:
        """End the connection; orderly, the broker does not send the will."""
        ...
