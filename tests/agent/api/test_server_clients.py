"""Clients that hang, send rubbish, come in crowds or go away: each gets its answer or the door, and others are served on."""

import asyncio
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from archipel_agent.api.connection import Limits
from archipel_agent.api.roles import Callers, Peer
from archipel_agent.api.server import ApiServer
from archipel_agent.api.socket_file import SocketUnavailable
from archipel_contract.client import AgentAway, AgentClient, ApiRefused
from tests.agent.api.conftest import everything, raw, said
from tests.fakes.service import JOB_ID, ScriptedService, report
from tests.fakes.serving import QUICK, serving

RUBBISH = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"\xff\xfe\xfd\r\n\r\n",
    b"HELLO\r\n\r\n",
    b"GET /v1/alive HTTP/1.1\r\n\r\n",  # no Host
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/alive HTTP/1.1\r\n" + b"X: y\r\n" * 5_000,
]


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_is_answered_with_a_4xx_and_closed_and_others_are_served_on(
    client: AgentClient, service: ScriptedService, rubbish: bytes
) -> None:
    answer = said(client.socket_path, rubbish)
    assert answer.startswith(b"HTTP/1.1 4"), answer[:60]
    assert b"connection: close" in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"]
    assert client.call("report") == service.current


def test_a_client_that_says_nothing_is_hung_up_without_a_word(client: AgentClient) -> None:
    with raw(client.socket_path) as silent:
        assert client.call("alive").pid == 1
        assert everything(silent) == b""


@pytest.mark.parametrize(
    "beginning",
    [b"GET /v1/al", b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"],
    ids=["in the head", "in the body"],
)
def test_a_client_that_stops_halfway_is_told_so_and_closed(client: AgentClient, beginning: bytes) -> None:
    answer = said(client.socket_path, beginning)
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "slow"


def test_a_client_that_feeds_byte_by_byte_does_not_outlive_the_limit(client: AgentClient) -> None:
    received = b""
    with raw(client.socket_path) as dripping:
        dripping.settimeout(0.1)
        for byte in b"GET /v1/alive HTTP/1.1\r\nX: ":
            try:
                dripping.sendall(bytes([byte]))
                received = dripping.recv(65536)
                break
            except TimeoutError:
                continue  # nothing said yet
            except BrokenPipeError:
                received = everything(dripping)
                break
    assert received.startswith(b"HTTP/1.1 408")


def test_a_client_that_never_reads_is_dropped_and_others_are_served_on(
    client: AgentClient, service: ScriptedService
) -> None:
    service.log_lines["k3s"] = ("x" * 1000,) * 2000
    with raw(client.socket_path) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /v1/logs?lines=2000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert len(client.call("logs", lines="2000").lines) == 2000
        finished = threading.Event()
        finished.wait(QUICK.write_seconds * 2)
        got = everything(deaf)
    assert len(got) < 2_000_000


def test_of_forty_clients_thirty_two_are_served_and_eight_are_told_why_not(
    client: AgentClient, service: ScriptedService
) -> None:
    streams = []
    refused = []
    for _ in range(40):
        stream = client.stream("watch")
        try:
            assert next(stream) == service.current
            streams.append(stream)
        except ApiRefused as error:
            refused.append(error)
    assert (len(streams), len(refused)) == (32, 8)
    assert {(error.status, error.problem.error) for error in refused} == {(503, "too-many-connections")}
    service.change(sentence="still served")
    assert [next(stream).sentence for stream in streams] == ["still served"] * 32
    for stream in streams:
        stream.close()
    assert until_served(client) == service.current


def until_served(client: AgentClient) -> object:
    """The report, once the server has noticed that its clients went away."""
    for _ in range(200):
        try:
            return client.call("report")
        except ApiRefused:
            threading.Event().wait(0.01)
    raise AssertionError("the places of clients that left were not given free")


def test_slow_calls_of_some_do_not_keep_others_from_an_answer(
    client: AgentClient, service: ScriptedService
) -> None:
    service.hold = threading.Event()
    answers: list[object] = []
    slow = [threading.Thread(target=lambda: answers.append(client.call("report"))) for _ in range(4)]
    for thread in slow:
        thread.start()
    assert client.call("alive").pid == 1
    assert answers == []
    service.hold.set()
    for thread in slow:
        thread.join(5)
    assert len(answers) == 4


def test_a_client_that_leaves_during_its_call_disturbs_nobody(
    client: AgentClient, service: ScriptedService
) -> None:
    service.hold = threading.Event()
    with raw(client.socket_path) as leaving:
        leaving.sendall(b"GET /v1/report HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.call("alive").pid == 1
    service.hold.set()
    assert client.call("report") == service.current


def test_a_second_agent_finds_the_socket_taken_and_leaves_it_alone(
    client: AgentClient, service: ScriptedService
) -> None:
    with (
        pytest.raises(SocketUnavailable, match="another agent answers"),
        serving(service, client.socket_path),
    ):
        pass
    assert client.call("alive").pid == 1


def test_a_socket_that_nobody_serves_any_more_is_replaced(service: ScriptedService, path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with serving(service, path):
        assert AgentClient(path).call("alive").pid == 1
    assert not path.exists()


def test_a_file_in_the_place_of_the_socket_is_not_removed(service: ScriptedService, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("somebody's")
    with pytest.raises(SocketUnavailable, match="is not a socket"), serving(service, path):
        pass
    assert path.read_text() == "somebody's"


def test_a_path_too_long_for_a_socket_is_named(service: ScriptedService, tmp_path: Path) -> None:
    with pytest.raises(SocketUnavailable, match="107 bytes"), serving(service, tmp_path / ("x" * 108)):
        pass


def test_the_socket_of_a_later_agent_is_not_removed_by_the_end_of_an_earlier_one(
    service: ScriptedService, path: Path
) -> None:
    with serving(service, path):
        os.unlink(path)
        with serving(service, path):
            pass
        path.write_text("not ours")
    assert path.read_text() == "not ours"


async def test_close_hangs_up_every_client_and_leaves_no_task(service: ScriptedService, path: Path) -> None:
    server = ApiServer(service, path, limits=QUICK)
    before = asyncio.all_tasks()
    await server.start()
    watching, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"GET /v1/watch HTTP/1.1\r\nHost: a\r\n\r\n")
    await watching.readuntil(b"data: ")
    silent, other = await asyncio.open_unix_connection(str(path))
    await server.close()
    assert asyncio.all_tasks() == before
    assert await silent.read() == b""
    assert not await asyncio.to_thread(path.exists)
    for one in (writer, other):
        one.close()


async def test_a_server_that_was_never_started_can_be_closed(service: ScriptedService, path: Path) -> None:
    await ApiServer(service, path).close()


def test_a_caller_whose_credentials_cannot_be_read_is_hung_up(service: ScriptedService, path: Path) -> None:
    def unreadable(connection: socket.socket) -> Peer:
        raise OSError("gone")

    with serving(service, path, callers=Callers(peer=unreadable)), pytest.raises(AgentAway):
        AgentClient(path, timeout=2).call("alive")


# --- streams ---


def test_a_stream_tells_each_change_once(client: AgentClient, service: ScriptedService) -> None:
    stream = client.stream("watch", timeout=2)
    assert next(stream) == report()
    service.wake()  # nothing changed
    service.change(sentence="two")
    assert next(stream).sentence == "two"
    stream.close()


def test_a_stream_shows_signs_of_life_when_nothing_happens(client: AgentClient) -> None:
    with raw(client.socket_path) as watching:
        watching.sendall(b"GET /v1/watch HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while received.count(b": still here\n\n") < 2:
            received += watching.recv(65536)
    assert received.count(b"data: ") == 1


def test_a_stream_goes_on_where_the_client_lost_it_and_ends_with_the_job(
    client: AgentClient, service: ScriptedService
) -> None:
    from archipel_contract.jobs import JobRequest, JobState, Verb

    client.call("start_job", JobRequest(verb=Verb.UP))
    first = client.stream("watch_job", job_id=JOB_ID)
    assert next(first).sequence == 1
    first.close()
    service.run_to(JobState.SUCCEEDED)
    rest = list(client.stream("watch_job", job_id=JOB_ID, after="1"))
    assert [event.sequence for event in rest] == [2, 3, 4]
    assert rest[-1].job.is_over
    assert list(client.stream("watch_job", job_id=JOB_ID, after="4")) == []


def test_a_stream_of_a_job_that_does_not_exist_is_a_404(client: AgentClient) -> None:
    with pytest.raises(ApiRefused) as caught:
        next(client.stream("watch_job", job_id="j-none"))
    assert caught.value.status == 404
    with pytest.raises(ApiRefused, match="after must be"):
        next(client.stream("watch_job", job_id=JOB_ID, after="x"))


def test_a_stream_whose_service_fails_breaks_off_so_that_the_client_notices(
    client: AgentClient, service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    stream = client.stream("watch")
    next(stream)
    service.defect = RuntimeError("broken")
    service.wake()
    with pytest.raises(AgentAway, match="in the middle"):
        next(stream)
    assert "RuntimeError: broken" in caplog.text


def test_the_service_is_left_in_peace_once_the_watcher_is_gone(
    client: AgentClient, service: ScriptedService
) -> None:
    stream = client.stream("watch")
    next(stream)
    assert len(service.subscribers) == 1
    stream.close()
    for _ in range(200):
        if not service.subscribers:
            break
        threading.Event().wait(0.01)
    assert service.subscribers == []


def test_the_documented_limits_are_those_of_the_product() -> None:
    limits = Limits()
    assert (limits.connections, limits.head_seconds, limits.alive_seconds) == (32, 5.0, 5.0)
