"""Many devices in one thread, each over a TLS connection of its own with its own certificate, speaking just enough MQTT.

Used by `fleet_ground`. Not the carrier: thousands of those would cost more than the controller that is measured, and share
its machine. TLS is that of the agent (`link.secure`), and the broker sees what it would see of so many agents.
"""

import secrets
import select
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from archipel_contract.link import secure, topics
from archipel_contract.link.carrier import Incoming, Lost, Outgoing
from benchmarks.registered import HOST, Device

KEEPALIVE = 600  # seconds; nobody is silent for so long while figures are taken
CONNECTED = b"\x20\x02\x00\x00"
CONNECT, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x30, 0x40, 0x82, 0x90
READ = 16 << 10
PATIENCE = 30.0


def packet(first: int, body: bytes) -> bytes:
    """Return an MQTT packet with its length (MQTT 3.1.1, 2.2.3)."""
    length, left = bytearray(), len(body)
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    length.append(left)
    return bytes([first]) + bytes(length) + body


def packets(data: bytearray) -> Iterable[tuple[int, bytes]]:
    """Yield first byte and body of every whole packet, and take them out of `data`."""
    while len(data) > 1:
        length = shift = 0
        for end in range(1, min(5, len(data))):
            length |= (data[end] & 127) << shift
            shift += 7
            if data[end] < 128:
                break
        else:
            return
        if len(data) <= end + length:
            return
        first, body = data[0], bytes(data[end + 1 : end + 1 + length])
        del data[: end + 1 + length]
        yield first, body


def text(said: str) -> bytes:
    """Return a string as MQTT writes it."""
    return len(said.encode()).to_bytes(2) + said.encode()


@dataclass(slots=True)
class _Line:
    """One device's connection."""

    name: str
    socket: ssl.SSLSocket
    heard: bytearray = field(default_factory=bytearray)
    sent: int = 0


class Crowd:
    """See the header; speaks as a Carrier does, as far as the figures need it."""

    def __init__(self, port: int, authorities: Sequence[str], window: int) -> None:
        """Nobody is connected; at most `window` messages of QoS 1 are without the broker's acknowledgement."""
        self._port, self._authorities, self._window = port, authorities, window
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._of: dict[str, _Line] = {}
        self._inbox: deque[Incoming | Lost] = deque()
        self._unacknowledged = 0

    def connect(self, device: Device, hears: str) -> None:
        """Connect one more device, and have it subscribe to what it `hears`; raise OSError, RuntimeError."""
        context = secure.client_context(self._authorities, device.file, device.file, check_time=True)
        raw = socket.create_connection((HOST, self._port), PATIENCE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(device.name, context.wrap_socket(raw, server_hostname=HOST))
        said = text("MQTT") + bytes([4, 2]) + KEEPALIVE.to_bytes(2)
        line.socket.sendall(packet(CONNECT, said + text(f"{device.name}-{secrets.token_hex(8)}")))
        if (answer := line.socket.recv(READ)) != CONNECTED:
            raise RuntimeError(f"the broker does not take {device.name}: {answer!r}")
        line.socket.sendall(packet(SUBSCRIBE, b"\x00\x01" + text(hears) + b"\x00"))
        if (answer := line.socket.recv(READ)) != bytes([SUBACK, 3, 0, 1, 0]):
            raise RuntimeError(f"the broker does not let {device.name} hear: {answer!r}")
        line.socket.setblocking(False)
        self._lines[line.socket.fileno()] = self._of[device.name] = line
        self._poll.register(line.socket, select.EPOLLIN)

    def send(self, message: Outgoing) -> bool:
        """Hand a message over as the device its topic names; False when the window is full."""
        if message.qos and self._unacknowledged >= self._window:
            return False
        line = self._of[topics.parse(message.topic).node_id]
        line.sent = line.sent % 65_535 + 1
        number = line.sent.to_bytes(2) if message.qos else b""
        body = text(message.topic) + number + message.payload
        self._unacknowledged += message.qos
        self._write(line, packet(PUBLISH | message.qos << 1, body))
        return True

    def receive(self, timeout: float | None) -> tuple[Incoming | Lost, ...]:
        """Return what arrived, waiting up to `timeout` seconds for something to."""
        for number, _ in self._poll.poll(timeout):
            self._read(self._lines[number])
        found = tuple(self._inbox)
        self._inbox.clear()
        return found

    def close(self) -> None:
        """End every connection."""
        for line in self._of.values():
            line.socket.close()
        self._poll.close()

    def _write(self, line: _Line, data: bytes) -> None:
        while True:
            try:
                line.socket.send(
                    data
                )  # all or nothing: what is too much for now is asked for again as it was
                return
            except ssl.SSLWantWriteError:
                select.select([], [line.socket], [], PATIENCE)

    def _read(self, line: _Line) -> None:
        try:
            while said := line.socket.recv(READ):
                line.heard += said
            self._inbox.append(Lost(code="link-broker-away", detail=f"it parted from {line.name}"))
            self._poll.unregister(line.socket)
        except ssl.SSLWantReadError:
            pass
        for first, body in packets(line.heard):
            if first == PUBACK:
                self._unacknowledged -= 1
            elif first & 0xF0 == PUBLISH:
                self._take(line, first, body)

    def _take(self, line: _Line, first: int, body: bytes) -> None:
        end = 2 + int.from_bytes(body[:2])
        topic = body[2:end].decode()
        if first & 0x06:
            self._write(line, packet(PUBACK, body[end : end + 2]))
            end += 2
        self._inbox.append(
            Incoming(topic=topic, payload=body[end:], retained=bool(first & 1), duplicate=False, token=None)
        )
