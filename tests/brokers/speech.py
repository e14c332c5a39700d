"""MQTT 3.1.1 by hand, for tests that must say what no decent client or broker says: packets as bytes, and reading them.

Nothing here is used to test how our own packets are made; that is judged by real brokers.
"""

import socket
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14


@dataclass(frozen=True)
class Packet:
    """One control packet: its type (the upper half of its first byte), its flags (the lower), and its content."""

    kind: int
    flags: int
    content: bytes

    @property
    def identifier(self) -> int:
        """The packet identifier of SUBSCRIBE, PUBACK and the like."""
        return int.from_bytes(self.content[:2], "big")

    @property
    def topic(self) -> bytes:
        """The topic of a PUBLISH."""
        return self.content[2 : 2 + self.identifier]


def packet(kind: int, content: bytes = b"", flags: int = 0) -> bytes:
    """Return a control packet (MQTT 3.1.1, chapter 2)."""
    length, lengths = len(content), bytearray()
    while True:
        length, low = divmod(length, 128)
        lengths.append(low | (0x80 if length else 0))
        if not length:
            return bytes([kind << 4 | flags]) + lengths + content


def text(value: bytes) -> bytes:
    """Return a string with its length in front."""
    return len(value).to_bytes(2, "big") + value


def connect(client_id: bytes, keepalive: int = 60) -> bytes:
    """Return a CONNECT with a clean session."""
    return packet(CONNECT, text(b"MQTT") + bytes([4, 2]) + keepalive.to_bytes(2, "big") + text(client_id))


def connack(code: int = 0) -> bytes:
    """Return the answer to a CONNECT; 0 accepts, 5 is "not authorized"."""
    return packet(CONNACK, bytes([0, code]))


def publish(topic: bytes, payload: bytes, identifier: int = 0) -> bytes:
    """Return a PUBLISH; with an identifier QoS 1, else QoS 0."""
    inside = text(topic) + (identifier.to_bytes(2, "big") if identifier else b"") + payload
    return packet(PUBLISH, inside, flags=2 if identifier else 0)


def suback(identifier: int, *granted: int) -> bytes:
    """Return the answer to a SUBSCRIBE; 0x80 refuses a filter."""
    return packet(SUBACK, identifier.to_bytes(2, "big") + bytes(granted))


def puback(identifier: int) -> bytes:
    """Return the acknowledgement of a QoS 1 PUBLISH."""
    return packet(PUBACK, identifier.to_bytes(2, "big"))


def read(source: socket.socket) -> Packet | None:
    """Return the next packet, None at the end of the connection."""
    first = _exactly(source, 1)
    if first is None:
        return None
    length, shift = 0, 0
    while (byte := _exactly(source, 1)) is not None:
        length |= (byte[0] & 127) << shift
        shift += 7
        if not byte[0] & 128:
            content = _exactly(source, length)
            return None if content is None else Packet(first[0] >> 4, first[0] & 15, content)
    return None


def _exactly(source: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        try:
            part = source.recv(count - len(data))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return data
