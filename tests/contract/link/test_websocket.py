"""MQTT inside a WebSocket: frames cut anywhere, control frames in between, and what RFC 6455 forbids."""

import base64
import hashlib
import socket
import ssl
import time

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link import websocket
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.channel import ChannelBroken
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocketChannel
from tests.brokers import speech
from tests.brokers.guarded import NODE, Pki
from tests.brokers.listening import heard
from tests.brokers.scripted import Line, ScriptedBroker
from tests.contract.link.playing import refused


class ScriptedChannel:
    """A channel that gives what a test put in, and takes as many bytes at a time as it says."""

    hidden = 0
    waiting = 0
    awaits_input = False

    def __init__(self, pieces: list[bytes], takes: int = 1 << 20) -> None:
        self.pieces, self.takes, self.sent = pieces, takes, b""
        self.finished = False

    def recv(self, buffer_size: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        return self.pieces.pop(0)

    def send(self, data: bytes | bytearray) -> int:
        if not self.takes:
            raise BlockingIOError
        gone = bytes(data[: self.takes])
        self.sent += gone
        return len(gone)

    def finish(self, data: bytes | bytearray, seconds: float) -> None:
        self.sent += bytes(data)
        self.finished = True

    def drain(self, buffer_size: int) -> bytes:
        return b""

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None: ...

    def close(self) -> None: ...


def served(kind: int, payload: bytes, final: bool = True) -> bytes:
    """A frame as a server sends it: without a mask."""
    length = len(payload)
    head = bytes([(0x80 if final else 0) | kind])
    if length < 126:
        return head + bytes([length]) + payload
    if length < 1 << 16:
        return head + b"\x7e" + length.to_bytes(2, "big") + payload
    return head + b"\x7f" + length.to_bytes(8, "big") + payload


def opened(data: bytes) -> list[tuple[int, bytes]]:
    """The frames of a client, their masks taken off (RFC 6455, 5.3), byte by byte as the text has it."""
    found = []
    while data:
        kind, length, at = data[0] & 15, data[1] & 127, 2
        assert data[0] & 0x80 and data[1] & 0x80
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10], "big"), 10
        mask, masked = data[at : at + 4], data[at + 4 : at + 4 + length]
        found.append((kind, bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))))
        data = data[at + 4 + length :]
    return found


def read_all(channel: WebSocketChannel) -> bytes:
    came = b""
    while True:
        try:
            part = channel.recv(100_000)
        except BlockingIOError:
            assert channel.hidden == 0  # or a selector would wait while something is there
            return came
        if not part:
            return came
        came += part


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    frames=st.lists(
        st.tuples(st.sampled_from([BINARY, CONTINUATION, PING, PONG]), st.binary(max_size=300)), max_size=8
    ),
    data=st.data(),
)
def test_frames_cut_anywhere_give_what_was_said_and_every_ping_is_answered(
    frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    frames = [(kind, payload[:125] if kind in (PING, PONG) else payload) for kind, payload in frames]
    wire = b"".join(served(kind, payload) for kind, payload in frames)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(wire) - 1)), max_size=12)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True) if wire[a:b]]
    inner = ScriptedChannel(pieces[1:])
    channel = WebSocketChannel(inner, pieces[0] if pieces else b"")
    assert read_all(channel) == b"".join(
        payload for kind, payload in frames if kind in (BINARY, CONTINUATION)
    )
    assert opened(inner.sent) == [(PONG, payload) for kind, payload in frames if kind == PING]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_what_we_say_is_masked_whole_and_never_the_same_twice(length: int) -> None:
    payload = bytes(range(256)) * (length // 256 + 1)
    payload = payload[:length]
    inner = ScriptedChannel([])
    channel = WebSocketChannel(inner)
    left = payload
    while left:
        left = left[channel.send(left) :]
    assert b"".join(said for _, said in opened(inner.sent)) == payload
    assert all(kind == BINARY for kind, _ in opened(inner.sent))
    if length > 8:
        assert payload not in inner.sent and websocket.frame(BINARY, payload) != websocket.frame(
            BINARY, payload
        )


def test_what_the_network_does_not_take_is_counted_and_leaves_later_before_anything_new() -> None:
    inner = ScriptedChannel([], takes=0)
    channel = WebSocketChannel(inner)
    assert channel.send(b"first") == 5 and channel.waiting > 5
    with pytest.raises(BlockingIOError):
        channel.send(b"second")
    inner.takes = 3
    channel.send(b"")
    assert channel.waiting == 0
    channel.send(b"second")
    assert opened(inner.sent) == [(BINARY, b"first"), (BINARY, b"second")]


def test_the_end_is_said_after_the_last_words_and_heard_as_an_end() -> None:
    inner = ScriptedChannel([served(CLOSE, b"\x03\xe8")])
    channel = WebSocketChannel(inner)
    assert channel.recv(100) == b"" and channel.recv(100) == b""
    assert opened(inner.sent) == [(CLOSE, b"\x03\xe8")]
    inner = ScriptedChannel([])
    WebSocketChannel(inner).finish(b"last", 1.0)
    assert opened(inner.sent) == [(BINARY, b"last"), (CLOSE, b"\x03\xe8")] and inner.finished


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(served(TEXT, b"hello"), id="text"),
        pytest.param(served(PING, b"x", final=False), id="a-ping-in-parts"),
        pytest.param(served(PING, b"x" * 126), id="a-long-ping"),
        pytest.param(b"\xc2\x01x", id="an-extension-nobody-agreed-on"),
        pytest.param(websocket.frame(BINARY, b"x"), id="a-mask-from-a-server"),
        pytest.param(served(3, b"x"), id="a-kind-that-is-none"),
    ],
)
def test_what_no_server_may_send_ends_the_connection(frame: bytes) -> None:
    with pytest.raises(ChannelBroken) as broken:
        WebSocketChannel(ScriptedChannel([frame])).recv(100)
    assert broken.value.code == "link-broker-wrong"


def test_a_frame_that_claims_to_be_endless_takes_no_memory_before_it_comes() -> None:
    channel = WebSocketChannel(ScriptedChannel([b"\x82\x7f\x7f" + b"\xff" * 7 + b"abc"]))
    assert read_all(channel) == b"abc"


# --- the upgrade ------------------------------------------------------------------------------------------------------


def upgraded(
    line: Line, protocol: bytes = b"mqtt", key: bytes | None = None, status: bytes = b"101 Switching"
) -> bytes:
    """Take the upgrade and answer it; return what was asked."""
    asked = line.socket.recv(4096)
    (given,) = [one[19:] for one in asked.split(b"\r\n") if one.startswith(b"Sec-WebSocket-Key: ")]
    digest = hashlib.sha1((key or given) + websocket.MAGIC.encode(), usedforsecurity=False).digest()
    line.say(
        b"HTTP/1.1 " + status + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + base64.b64encode(digest) + b"\r\nSec-WebSocket-Protocol: " + protocol + b"\r\n\r\n"
    )  # fmt: skip
    return asked


def carrier(broker: ScriptedBroker, pki: Pki) -> MqttCarrier:
    return MqttCarrier(
        BrokerUrl("127.0.0.1", broker.port, scheme="wss", path="/way"), NODE, tls=pki.context(NODE)
    )


def test_the_upgrade_names_path_host_and_protocol_and_what_comes_right_behind_the_answer_is_heard(
    pki: Pki,
) -> None:
    asked: list[bytes] = []

    def play(line: Line) -> None:
        asked.append(upgraded(line))
        line.socket.recv(4096)
        line.say(served(BINARY, speech.connack() + speech.publish(b"t", b"heard")))
        line.hear_out()

    with ScriptedBroker(play, pki.serving()) as broker:
        link = carrier(broker, pki)
        link.open()
        assert heard(link)[0].payload == b"heard"
        link.close()
        port = broker.port
    assert asked[0].startswith(b"GET /way HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)
    assert b"Sec-WebSocket-Protocol: mqtt\r\n" in asked[0] and b"Sec-WebSocket-Version: 13\r\n" in asked[0]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(
            lambda line: upgraded(line, status=b"404 Not Found"), "link-broker-wrong", id="not-found"
        ),
        pytest.param(lambda line: upgraded(line, key=b"another"), "link-broker-wrong", id="another-key"),
        pytest.param(
            lambda line: upgraded(line, protocol=b"chat"), "link-broker-wrong", id="another-protocol"
        ),
        pytest.param(
            lambda line: (line.socket.recv(4096), line.say(b"\x20\x02\0\0 mqtt")),
            "link-broker-wrong",
            id="no-http",
        ),
        pytest.param(lambda line: line.socket.recv(4096), "link-broker-away", id="hangs-up"),
        pytest.param(lambda line: line.hear_out(), "link-broker-away", id="never-answers"),
    ],
)
def test_what_is_no_upgrade_is_told_apart(answer: object, code: str, pki: Pki) -> None:
    def play(line: Line) -> None:
        assert callable(answer)
        answer(line)

    with ScriptedBroker(play, pki.serving()) as broker:
        assert refused(lambda: carrier(broker, pki).open(timeout=0.5)).code == code


class HungUp(socket.socket):
    """TLS 1.3 to a server that refused our certificate and hung up before we said a word."""

    def sendall(self, data: object, flags: int = 0) -> None:
        """See socket: what the ssl module raises for a broken line."""
        raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF occurred in violation of protocol")

    def recv(self, size: int, flags: int = 0) -> bytes:
        """See socket: the alert came before the end."""
        alert = ssl.SSLError(ssl.SSL_ERROR_SSL, "tlsv1 alert unknown ca")
        alert.reason = "TLSV1_ALERT_UNKNOWN_CA"
        raise alert


def test_who_hangs_up_before_the_upgrade_was_said_is_still_heard_out() -> None:
    url = BrokerUrl("127.0.0.1", 8443, scheme="wss", path="/way")
    with HungUp() as line, pytest.raises(CarrierFailed) as failed:
        websocket.upgrade(line, url, time.monotonic() + 5)
    assert failed.value.code == "link-tls-refused"
    assert "knows no CA" in str(failed.value)
