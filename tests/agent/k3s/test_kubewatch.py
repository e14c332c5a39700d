"""A watch is read without waiting, however its bytes come: in pieces, in one go, cut off, or never."""

import socket
import ssl
from typing import Any, cast

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from archipel_agent.k3s import kubewatch
from archipel_agent.k3s.kubewatch import HttpsWatch

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


class PipedSocket:
    """The agent's end of a TLS connection as it looks after the handshake: bytes, or "want read"."""

    def __init__(self) -> None:
        self.sent = b""
        self.coming = bytearray()
        self.is_closed_there = False
        self.is_reset = False
        self.is_closed = False

    def sendall(self, data: bytes) -> None:
        """Take what is sent."""
        self.sent += data

    def setblocking(self, on: bool) -> None:
        """It never blocks."""
        assert not on

    def recv(self, most: int) -> bytes:
        """Give what has come, or say that nothing has."""
        if self.is_reset:
            raise ConnectionResetError("reset by peer")
        if not self.coming and not self.is_closed_there:
            raise ssl.SSLWantReadError
        data = bytes(self.coming[:most])
        del self.coming[:most]
        return data

    def close(self) -> None:
        """Close this end."""
        self.is_closed = True


class PipedContext:
    """A TLS context whose handshake gives a PipedSocket."""

    def __init__(self) -> None:
        self.socket = PipedSocket()
        self.server = ""

    def wrap_socket(self, plain: socket.socket, server_hostname: str) -> PipedSocket:
        """Close the real one, which nobody needs."""
        plain.close()
        self.server = server_hostname
        return self.socket


def opened(bearer: str = "tok") -> tuple[HttpsWatch, PipedContext]:
    """A watch that has been asked for."""
    context = PipedContext()
    plain = socket.socket()
    watch = HttpsWatch(plain, cast(Any, context), "127.0.0.1:6443", "/api/v1/pods?watch=1", bearer)
    return watch, context


def chunk(data: bytes) -> bytes:
    """One chunk of HTTP/1.1."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_it_asks_for_the_path_with_its_token() -> None:
    _, context = opened()
    assert context.server in ("127.0.0.1", b"127.0.0.1")  # as bytes it needs no tables of IDNA
    assert context.socket.sent.startswith(b"GET /api/v1/pods?watch=1 HTTP/1.1\r\n")
    assert b"Authorization: Bearer tok\r\n" in context.socket.sent
    assert b"Authorization" not in opened(bearer="")[1].socket.sent


def test_nothing_has_arrived_before_the_answer_and_while_nothing_happens() -> None:
    watch, context = opened()
    assert watch.arrived() == ()
    context.socket.coming += HEAD
    assert watch.arrived() == ()
    assert watch.arrived() == ()


LINES = st.lists(
    st.binary(min_size=1, max_size=40).filter(lambda line: b"\n" not in line and line.strip()), max_size=6
)


@settings(max_examples=80)
@given(lines=LINES, cuts=st.lists(st.integers(1, 60), max_size=30), chunks=st.integers(1, 50))
def test_every_event_arrives_once_and_whole_however_the_bytes_are_cut(
    lines: list[bytes], cuts: list[int], chunks: int
) -> None:
    watch, context = opened()
    body = b"".join(line + b"\n" for line in lines)
    wire = HEAD + b"".join(chunk(body[n : n + chunks]) for n in range(0, len(body), chunks))
    found: list[bytes] = []
    for cut in [*cuts, len(wire)]:
        context.socket.coming += wire[:cut]
        wire = wire[cut:]
        told = watch.arrived()
        assert told is not None
        found += told
    assert found == lines


@pytest.mark.parametrize(
    "status", [b"401 Unauthorized", b"403 Forbidden", b"410 Gone", b"500 Internal Server Error"]
)
def test_a_watch_that_is_refused_is_over(status: bytes) -> None:
    watch, context = opened()
    context.socket.coming += b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}"
    assert watch.arrived() is None
    assert context.socket.is_closed


def test_a_watch_that_the_api_ends_is_over() -> None:
    watch, context = opened()
    context.socket.coming += HEAD + chunk(b'{"type":"ADDED"}\n') + END
    assert watch.arrived() is None


@pytest.mark.parametrize("before", [b"", HEAD[:20], HEAD, HEAD + chunk(b"{"), HEAD + b"5\r\n{"])
def test_a_connection_that_is_closed_or_reset_at_any_point_ends_the_watch(before: bytes) -> None:
    for fault in ("is_closed_there", "is_reset"):
        watch, context = opened()
        context.socket.coming += before
        assert watch.arrived() == ()
        setattr(context.socket, fault, True)
        assert watch.arrived() is None
        assert watch.arrived() is None


@pytest.mark.parametrize(
    "rubbish", [b"SSH-2.0-OpenSSH\r\n\r\n", b"\x00\x01\x02" * 50, HEAD + b"no chunk\r\n"]
)
def test_what_is_no_http_ends_the_watch(rubbish: bytes) -> None:
    watch, context = opened()
    context.socket.coming += rubbish
    assert watch.arrived() is None


def test_a_line_that_never_ends_is_not_kept_for_ever() -> None:
    watch, context = opened()
    context.socket.coming += HEAD
    piece = chunk(b"x" * 60_000)
    for _ in range(kubewatch.LONGEST_EVENT // 60_000 + 2):
        context.socket.coming += piece
        if watch.arrived() is None:
            return
    raise AssertionError("it was kept")


def test_a_flood_is_taken_in_over_several_turns() -> None:
    watch, context = opened()
    context.socket.coming += HEAD + chunk(b"{}\n" * 1000) * 2000
    first = watch.arrived()
    assert first and context.socket.coming
    second = watch.arrived()
    assert second


def test_whoever_gives_up_or_closes_has_it_ended_once() -> None:
    watch, context = opened()
    watch.give_up()
    closed = [context.socket.is_closed]  # not yet: whoever reads it closes it
    assert watch.arrived() is None
    assert [*closed, context.socket.is_closed] == [False, True]
    other, context = opened()
    other.close()
    assert context.socket.is_closed and other.arrived() is None


def test_a_handshake_that_fails_leaves_nothing_open() -> None:
    here, there = socket.socketpair()
    there.close()
    with pytest.raises(OSError):
        HttpsWatch(here, ssl.create_default_context(), "127.0.0.1:6443", "/", "")
    assert here.fileno() == -1
