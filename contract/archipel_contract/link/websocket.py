"""MQTT inside a WebSocket (RFC 6455; MQTT 3.1.1, chapter 6): the upgrade, and a channel of masked binary frames.

`reaching` puts it around TLS, for places where only port 443 leads out. Ours rather than paho's: that one reads the upgrade
byte by byte without a time limit, masks in a loop over bytes, and answers pings without a mask, over which nats-server ends
the connection. No extension is negotiated.
"""

import base64
import contextlib
import hashlib
import os
import socket
import ssl

from archipel_contract.link import http_head, tls_trouble
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.channel import Channel, ChannelBroken

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FRAME_LIMIT = 64 << 10  # bytes of payload in one frame of ours
CONTROL_LIMIT = 125  # RFC 6455, 5.5
FAREWELL = b"\x03\xe8"  # 1000: all was said


def upgrade(connected: socket.socket, url: BrokerUrl, until: float) -> bytes:
    """Turn an HTTPS connection into a WebSocket for MQTT until that time of the monotonic clock; return what already came
    behind the answer. Raises CarrierFailed."""
    key = base64.b64encode(os.urandom(16)).decode()
    host = f"[{url.host}]" if ":" in url.host else url.host
    lines = [
        f"GET {url.path} HTTP/1.1",
        f"Host: {host}" if url.port == 443 else f"Host: {host}:{url.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    ]
    head = _answer(connected, "\r\n".join([*lines, "", ""]).encode(), url, until)
    accept = base64.b64encode(hashlib.sha1((key + MAGIC).encode(), usedforsecurity=False).digest()).decode()
    if head.status != 101:
        raise CarrierFailed(
            "link-broker-wrong", f"{url} offers no WebSocket: {head.status} {head.reason}".rstrip()
        )
    if head.fields.get("sec-websocket-accept") != accept:
        raise CarrierFailed("link-broker-wrong", f"{url} did not answer our upgrade")
    if head.fields.get("sec-websocket-protocol", "mqtt") != "mqtt":
        raise CarrierFailed("link-broker-wrong", f"{url} offers a WebSocket, but not for MQTT")
    return head.rest


def _answer(connected: socket.socket, request: bytes, url: BrokerUrl, until: float) -> http_head.Head:
    # Who hung up may have said why before; TLS 1.3 tells only here that our certificate was refused. A broken line that is
    # written to is an SSLEOFError under TLS.
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        connected.sendall(request)
    try:
        return http_head.read(connected, until)
    except http_head.HeadUnusable as error:
        raise CarrierFailed("link-broker-wrong", f"what answers at {url} is no broker: {error}") from error
    except ssl.SSLError as error:
        code, detail = tls_trouble.after_handshake(error)
        raise CarrierFailed(code, f"{url}: {detail}") from error
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise CarrierFailed("link-broker-away", f"{url} did not answer the upgrade: {why}") from error


class WebSocketChannel:
    """Bytes in masked binary frames over another channel."""

    def __init__(self, inner: Channel, rest: bytes = b"") -> None:
        """`rest` came before and belongs to the first frames."""
        self._inner = inner
        self._came = bytearray(rest)
        self._data_left = 0  # bytes still to come of the frame that is being read
        self._outgoing = bytearray()
        self._ended = False

    @property
    def hidden(self) -> int:
        """See Channel."""
        ready = len(self._came) if not self._ended and self._complete() else 0
        return ready + self._inner.hidden

    @property
    def waiting(self) -> int:
        """See Channel."""
        return len(self._outgoing) + self._inner.waiting

    @property
    def awaits_input(self) -> bool:
        """See Channel."""
        return self._inner.awaits_input

    def recv(self, buffer_size: int) -> bytes:
        """See Channel."""
        while True:
            taken = self._take(buffer_size)
            if taken is not None:
                return taken
            part = self._inner.recv(buffer_size)
            self._ended = not part
            self._came += part

    def send(self, data: bytes | bytearray) -> int:
        """See Channel."""
        self._let_go()
        if not data:
            return 0
        taken = min(len(data), FRAME_LIMIT)
        self._outgoing += frame(BINARY, bytes(data[:taken]))
        with contextlib.suppress(BlockingIOError):  # what did not leave is in `waiting`
            self._let_go()
        return taken

    def finish(self, data: bytes | bytearray, seconds: float) -> None:
        """See Channel."""
        last = bytes(self._outgoing)
        if data:
            last += frame(BINARY, bytes(data))
        self._outgoing.clear()
        self._inner.finish(last + frame(CLOSE, FAREWELL), seconds)

    def drain(self, buffer_size: int) -> bytes:
        """See Channel."""
        return self._inner.drain(buffer_size)

    def fileno(self) -> int:
        """See Channel."""
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:
        """See Channel."""
        self._inner.setblocking(flag)

    def close(self) -> None:
        """See Channel."""
        self._inner.close()

    def _let_go(self) -> None:
        while self._outgoing:
            gone = self._inner.send(self._outgoing)
            del self._outgoing[:gone]

    def _complete(self) -> bool:
        """Whether something can be made of what came, without more."""
        return bool(self._came) and (self._data_left > 0 or self._header() is not None)

    def _take(self, most: int) -> bytes | None:
        """Return payload out of what came, b"" at the end, None when more must come first; answer what is not payload."""
        while not self._ended:
            if self._data_left and self._came:
                taken = bytes(self._came[: min(most, self._data_left)])
                del self._came[: len(taken)]
                self._data_left -= len(taken)
                return taken
            header = None if self._data_left else self._header()
            if header is None:
                return None
            kind, length, size = header
            if kind in (BINARY, CONTINUATION):
                del self._came[:size]
                self._data_left = length
            else:
                content = bytes(self._came[size : size + length])
                del self._came[: size + length]
                self._control(kind, content)
        return b""

    def _control(self, kind: int, content: bytes) -> None:
        """Answer a control frame."""
        if kind == PING:
            self._outgoing += frame(PONG, content)
        elif kind == CLOSE:
            self._outgoing += frame(CLOSE, content)
            self._ended = True
        with contextlib.suppress(BlockingIOError):
            self._let_go()

    def _header(self) -> tuple[int, int, int] | None:
        """Return kind, length of payload and length of the header of the next frame; None when more must come first.

        A control frame counts only when it is all there. Raises ChannelBroken for what RFC 6455 does not allow.
        """
        came = self._came
        if len(came) < 2:
            return None
        kind, length, size = came[0] & 15, came[1] & 127, 2
        if came[0] & 0x70 or came[1] & 0x80 or kind not in (CONTINUATION, BINARY, CLOSE, PING, PONG):
            raise ChannelBroken("link-broker-wrong", "it sends WebSocket frames that no broker may send")
        if kind >= CLOSE and (length > CONTROL_LIMIT or not came[0] & 0x80):
            raise ChannelBroken("link-broker-wrong", "it sends WebSocket frames that no broker may send")
        if length > CONTROL_LIMIT:
            more = 2 if length == 126 else 8
            if len(came) < size + more:
                return None
            length, size = int.from_bytes(came[2 : 2 + more], "big"), size + more
        if kind >= CLOSE and len(came) < size + length:
            return None
        return kind, length, size


def frame(kind: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it: whole, and masked anew (RFC 6455, 5.3)."""
    length = len(payload)
    if length <= CONTROL_LIMIT:
        head = bytes([0x80 | kind, 0x80 | length])
    elif length < 1 << 16:
        head = bytes([0x80 | kind, 0x80 | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([0x80 | kind, 0x80 | 127]) + length.to_bytes(8, "big")
    mask = os.urandom(4)
    # One large number rather than a loop over bytes: a hundred times faster.
    long_mask = (mask * (length // 4 + 1))[:length]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(long_mask, "big")
    return head + mask + mixed.to_bytes(length, "big")
