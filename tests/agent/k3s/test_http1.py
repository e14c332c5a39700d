"""The small HTTP of the Kubernetes connection reads every form an answer may take, and believes nothing else."""

import socket
import threading
from collections.abc import Iterator

import pytest

from archipel_agent.k3s.http1 import BadAnswer, Connection

SECONDS = 5.0


class Server:
    """The other end: answers each request with the next of its answers, and keeps what it was sent."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.asked = b""

    def will_say(self, *pieces: bytes, then_hang_up: bool = False) -> None:
        """Send these pieces, each by itself."""
        for piece in pieces:
            self.end.sendall(piece)
        if then_hang_up:
            self.end.shutdown(socket.SHUT_WR)


@pytest.fixture
def pair() -> Iterator[tuple[Server, Connection]]:
    """A server and a connection to it."""
    near, far = socket.socketpair()
    near.settimeout(SECONDS)
    far.settimeout(SECONDS)
    with near, far:
        yield Server(far), Connection(near, "127.0.0.1")


def test_a_request_is_one_message_with_host_and_length(pair: tuple[Server, Connection]) -> None:
    server, connection = pair
    server.will_say(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
    assert connection.ask("POST", "/api", {"Accept": "application/json"}, b"[1]") == (201, b"{}")
    assert server.end.recv(1000) == (
        b"POST /api HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nContent-Length: 3\r\n\r\n[1]"
    )


def test_answers_follow_one_another_on_one_connection(pair: tuple[Server, Connection]) -> None:
    server, connection = pair
    server.will_say(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    )
    assert connection.ask("GET", "/readyz", {}) == (200, b"ok")
    assert connection.ask("GET", "/nothing", {}) == (404, b"")
    assert not connection.is_over


def test_an_answer_may_come_in_pieces_of_any_size(pair: tuple[Server, Connection]) -> None:
    server, connection = pair
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\n\r\n"
    speaking = threading.Thread(target=server.will_say, args=[answer[i : i + 1] for i in range(len(answer))])
    speaking.start()
    assert connection.ask("GET", "/api/v1/pods", {}) == (200, b"abcdefg")
    speaking.join()


def test_a_large_answer_in_chunks_comes_whole(pair: tuple[Server, Connection]) -> None:
    server, connection = pair
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    speaking = threading.Thread(
        target=server.will_say,
        args=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[chunk] * 40, b"0\r\n\r\n"],
    )
    speaking.start()
    status, body = connection.ask("GET", "/api/v1/pods", {})
    speaking.join()
    assert (status, len(body), set(body)) == (200, 40 * 0x10000, {ord("x")})


def test_an_answer_without_a_body_and_interim_answers_are_understood(pair: tuple[Server, Connection]) -> None:
    server, connection = pair
    server.will_say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert connection.ask("DELETE", "/api", {}) == (204, b"")
    assert connection.is_over


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 two OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_or_breaks_off_is_an_error(pair: tuple[Server, Connection], answer: bytes) -> None:
    server, connection = pair
    server.will_say(answer, then_hang_up=True)
    with pytest.raises(BadAnswer):
        connection.ask("GET", "/", {})
