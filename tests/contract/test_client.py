"""The client tells apart an agent that is away, one that refuses, and something that is no agent at all."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_contract.api import Problem
from archipel_contract.client import AgentAway, AgentClient, ApiRefused, NotAdmitted
from archipel_contract.jobs import JobRequest, Verb
from archipel_contract.wire import WireError

ALIVE = b'{"agent_version":"1","api_version":1,"pid":7,"node_id":"n","role":3,"newer":true}'


class Scripted:
    """Something on a socket that sends fixed bytes, and keeps what it was sent."""

    def __init__(
        self, path: Path, answer: bytes, *, reads: bool = True, holds: threading.Event | None = None
    ) -> None:
        self.received = b""
        self._answer = answer
        self._reads = reads
        self._holds = holds
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            if self._reads:
                self.received = connection.recv(100_000)
            with contextlib.suppress(OSError):
                connection.sendall(self._answer)
            if self._holds is not None:
                self._holds.wait(5)

    def close(self) -> None:
        """Wait until the one client was served."""
        self._thread.join(5)
        self._socket.close()


@contextlib.contextmanager
def scripted(path: Path, answer: bytes, **ways: object) -> Iterator[Scripted]:
    peer = Scripted(path, answer, **ways)  # type: ignore[arg-type]  # the two ways above
    try:
        yield peer
    finally:
        peer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is."""
    return tmp_path / "agent.sock"


def answer(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


def stream(*blocks: bytes, end: bool = True) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in blocks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + (b"0\r\n\r\n" if end else b"")


def test_an_answer_becomes_the_promised_type_and_newer_fields_do_no_harm(path: Path) -> None:
    with scripted(path, answer(ALIVE)) as peer:
        assert AgentClient(path, 2).call("alive").pid == 7
    assert peer.received.startswith(b"GET /v1/alive HTTP/1.1\r\nHost: agent\r\n")


def test_a_request_carries_its_body_path_and_query(path: Path) -> None:
    with scripted(path, answer(b'{"id":"j","verb":"up","state":"queued"}')) as peer:
        AgentClient(path, 2).call("start_job", JobRequest(verb=Verb.UP, options={"name": "Hälle"}, key="k"))
    head, _, body = peer.received.partition(b"\r\n\r\n")
    assert b"POST /v1/jobs HTTP/1.1" in head
    assert json.loads(body) == {"verb": "up", "options": {"name": "Hälle"}, "key": "k"}
    path.unlink()
    with scripted(path, answer(b'{"source":"k3s","lines":[]}')) as peer:
        AgentClient(path, 2).call("logs", source="k3s & co", lines="5")
    assert b"GET /v1/logs?source=k3s+%26+co&lines=5 HTTP" in peer.received
    path.unlink()
    with scripted(path, answer(b"{}", b"404 No")) as peer, pytest.raises(ApiRefused):
        AgentClient(path, 2).call("job", job_id="../a b?c")
    assert b"GET /v1/jobs/..%2Fa%20b%3Fc HTTP" in peer.received


def test_a_word_the_endpoint_does_not_take_is_a_defect_of_the_caller(path: Path) -> None:
    with scripted(path, b""), pytest.raises(TypeError, match="color"):
        AgentClient(path, 2).call("alive", color="red")


def test_nobody_there_is_an_agent_away(path: Path) -> None:
    with pytest.raises(AgentAway, match="no agent on"):
        AgentClient(path).call("alive")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with pytest.raises(AgentAway, match="Connection refused"):
        AgentClient(path).call("alive")


def test_a_socket_we_may_not_open_is_told_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Forbidden)
    with pytest.raises(NotAdmitted, match="may not open"):
        AgentClient(path).call("alive")


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "hung up"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "hung up"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", "in the middle"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (b"\x00\xff\xfe\r\n\r\n", "does not speak HTTP"),
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_an_agent_away(path: Path, sent: bytes, words: str) -> None:
    with scripted(path, sent), pytest.raises(AgentAway, match=words):
        AgentClient(path, 2).call("alive")


def test_a_hanging_agent_is_given_up_after_the_timeout(path: Path) -> None:
    hold = threading.Event()
    with scripted(path, b"", holds=hold):
        with pytest.raises(AgentAway, match=r"within 0\.1 s"):
            AgentClient(path, 0.1).call("alive")
        hold.set()


def test_an_answer_of_another_shape_is_a_wire_error(path: Path) -> None:
    with scripted(path, answer(b'{"pid":"seven"}')), pytest.raises(WireError):
        AgentClient(path, 2).call("alive")


def test_a_refusal_carries_the_problem(path: Path) -> None:
    body = b'{"error":"busy","message":"another job","remedy":"wait","newer":1}'
    with scripted(path, answer(body, b"409 Conflict")), pytest.raises(ApiRefused) as caught:
        AgentClient(path, 2).call("alive")
    assert caught.value.status == 409
    assert caught.value.problem == Problem(error="busy", message="another job", remedy="wait")


def test_a_refusal_that_is_no_problem_is_shown_as_far_as_it_reads(path: Path) -> None:
    with scripted(path, answer(b"<html>\xff", b"502 Bad")), pytest.raises(ApiRefused) as caught:
        AgentClient(path, 2).call("alive")
    assert (caught.value.status, caught.value.problem.error) == (502, "unreadable")


def test_the_answer_of_an_agent_that_did_not_even_read_the_request_counts(path: Path) -> None:
    body = b'{"error":"too-many-connections","message":"full"}'
    big = JobRequest(verb=Verb.UP, options={"name": "x" * 3_000_000})
    with scripted(path, answer(body, b"503 Full"), reads=False), pytest.raises(ApiRefused) as caught:
        AgentClient(path, 2).call("start_job", big)
    assert caught.value.status == 503


def test_events_arrive_one_by_one_however_they_are_cut(path: Path) -> None:
    event = b'id: 1\ndata: {"sequence":1,"job":{"id":"j","verb":"up","state":"running"}}\n\n'
    pieces = [
        event[:10],
        event[10:],
        b": still here\n\n",
        event.replace(b"1", b"2") + event.replace(b"1", b"3"),
    ]
    with scripted(path, stream(*pieces)):
        assert [one.sequence for one in AgentClient(path, 2).stream("watch_job", job_id="j")] == [1, 2, 3]


def test_a_stream_that_breaks_off_is_told_from_one_that_ends(path: Path) -> None:
    with scripted(path, stream(b": still here\n\n")):
        assert list(AgentClient(path, 2).stream("watch_job", job_id="j")) == []
    path.unlink()
    with (
        scripted(path, stream(b": still here\n\n", end=False)),
        pytest.raises(AgentAway, match="in the middle"),
    ):
        list(AgentClient(path, 2).stream("watch_job", job_id="j"))


def test_a_stream_that_is_refused_raises_before_its_first_event(path: Path) -> None:
    with scripted(path, answer(b'{"error":"no-job","message":"none"}', b"404 No")), pytest.raises(ApiRefused):
        next(AgentClient(path, 2).stream("watch_job", job_id="j"))


def test_closing_the_client_ends_a_call_that_waits(path: Path) -> None:
    hold = threading.Event()
    with scripted(path, b"", holds=hold) as peer:
        client = AgentClient(path, 5)
        closing = threading.Timer(0.1, client.close)
        closing.start()
        with pytest.raises(AgentAway):
            client.call("alive")
        closing.join()
        hold.set()
        with pytest.raises(AgentAway, match="closed"):
            client.call("alive")
    assert peer.received
