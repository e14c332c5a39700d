"""The server answers every endpoint of the table, and says in a typed way what is wrong with a request."""

import json
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.api.handlers import HANDLERS, TableMismatch
from archipel_agent.api.server import ApiServer
from archipel_agent.service import Refused
from archipel_contract.answers import AnswersWish
from archipel_contract.api import (
    ENDPOINTS,
    MAX_BODY_BYTES,
    AccessRole,
    ClockWish,
    EnrolmentWish,
    Problem,
    VoucherRequest,
    VoucherWish,
)
from archipel_contract.client import AgentClient, ApiRefused
from archipel_contract.jobs import JobRequest, Verb
from tests.agent.api.conftest import said
from tests.fakes.service import FACTS, JOB_ID, NODE_ID, NOT_ROOT, SITE, ScriptedService

NOON = "2026-11-22T12:00:00+00:00"


def refused(client: AgentClient, name: str, body: object = None, **words: str) -> tuple[int, Problem]:
    with pytest.raises(ApiRefused) as caught:
        client.call(name, body, 5, **words)
    return caught.value.status, caught.value.problem


def test_every_plain_endpoint_answers_with_the_type_the_table_promises(client: AgentClient) -> None:
    request = JobRequest(verb=Verb.UP, options={"node_name": "edge-07", "images": ["/a", "/b"]}, key="k1")
    job = client.call("start_job", request)
    assert job.options == request.options
    words = {"job": {"job_id": JOB_ID}, "cancel_job": {"job_id": JOB_ID}}
    for endpoint in ENDPOINTS:
        if not endpoint.stream and endpoint.name != "start_job":
            wishes: dict[type[Any] | None, object] = {
                JobRequest: request,
                ClockWish: ClockWish(at=NOON),
                EnrolmentWish: EnrolmentWish(link="https://fleet.example:8471"),
                AnswersWish: AnswersWish(path="/media/stick/archipel.toml"),
                VoucherWish: VoucherWish(request=VoucherRequest(node_id="n-1", key_id="k-1")),
            }
            body = wishes.get(endpoint.request)
            answer = client.call(endpoint.name, body, 5, **words.get(endpoint.name, {}))
            assert isinstance(answer, endpoint.response), endpoint.name


def test_the_time_a_person_says_reaches_the_service_with_who_said_it(
    client: AgentClient, service: ScriptedService
) -> None:
    client.call("set_clock", ClockWish(at=NOON))
    assert service.clock_wishes == [(NOON, "root")]


def test_what_the_service_says_arrives_unchanged(client: AgentClient, service: ScriptedService) -> None:
    assert client.call("facts") == FACTS
    assert client.call("site") == SITE
    assert client.call("report") == service.current
    assert client.call("alive").node_id == NODE_ID


def test_query_words_reach_the_service(client: AgentClient) -> None:
    assert client.call("report", fresh="1").sentence == "fresh"
    assert client.call("logs", source="k3s", lines="1").lines == ("two",)
    assert client.call("logs").source == "k3s"


def test_the_caller_is_named_to_the_service_and_given_its_role(
    client: AgentClient, service: ScriptedService
) -> None:
    assert client.call("alive").role == AccessRole.OWNER
    client.call("start_job", JobRequest(verb=Verb.DOWN))
    assert service.requests[0][1] != ""


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ({"lines": "0"}, "lines must be"),
        ({"lines": "2001"}, "lines must be"),
        ({"lines": "-5"}, "lines must be"),
        ({"lines": "٣"}, "lines must be"),
        ({"lines": "9" * 5000}, "lines must be"),
    ],
)
def test_a_number_that_is_none_or_out_of_range_is_named(
    client: AgentClient, words: dict[str, str], place: str
) -> None:
    status, problem = refused(client, "logs", **words)
    assert status == 400
    assert place in problem.message


@pytest.mark.parametrize(
    ("line", "status", "word"),
    [
        (b"GET /v1/nothing HTTP/1.1", 404, "unknown-path"),
        (b"GET / HTTP/1.1", 404, "unknown-path"),
        (b"GET /v1/jobs/ HTTP/1.1", 404, "unknown-path"),
        (b"DELETE /v1/report HTTP/1.1", 405, "method"),
        (b"GET /v1/report?color=red HTTP/1.1", 400, "query"),
        (b"GET /v1/report?fresh=1&fresh=1 HTTP/1.1", 400, "query"),
        (b"GET /v1/report?fresh=maybe HTTP/1.1", 400, "query"),
        (b"GET /v1/report?fresh HTTP/1.1", 400, "query"),
        (b"GET /v1/report?%ff=1 HTTP/1.1", 400, "query"),
    ],
)
def test_a_wrong_path_method_or_query_is_a_problem_of_its_own(
    client: AgentClient, line: bytes, status: int, word: str
) -> None:
    answer = said(client.socket_path, line + b"\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status)
    assert json.loads(body)["error"] == word
    if status == 405:
        assert b"\r\nallow: GET" in head.lower().replace(b"allow: get", b"allow: GET")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"verb":"fly"}', "verb"),
        (b'{"verb":"up","speed":1}', "speed"),
        (b'{"verb":"up","options":{"x":{}}}', "options.x"),
        (b'{"verb":"up","key":1}', "key"),
        (b"[" * 50_000, "not JSON"),
    ],
)
def test_a_body_that_is_not_what_the_table_names_is_refused_with_its_place(
    client: AgentClient, service: ScriptedService, body: bytes, place: str
) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = said(client.socket_path, head + body)
    assert answer.startswith(b"HTTP/1.1 400")
    assert place in json.loads(answer.partition(b"\r\n\r\n")[2])["message"]
    assert service.requests == []


def test_a_body_where_none_belongs_is_refused(client: AgentClient) -> None:
    answer = said(
        client.socket_path,
        b"POST /v1/checks HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    )
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_without_reading_it_all(client: AgentClient, chunked: bool) -> None:
    if chunked:
        piece = b"%x\r\n%s\r\n" % (16_000, b"x" * 16_000)
        request = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + piece * 20
    else:
        request = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)
    answer = said(client.socket_path, request)
    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "too-large"


def test_a_refusal_of_the_service_travels_whole(client: AgentClient, service: ScriptedService) -> None:
    service.refusal = Refused(409, "busy", "job j-1 is running", "archipel status", NOT_ROOT)
    status, problem = refused(client, "start_job", JobRequest(verb=Verb.UP))
    assert (status, problem) == (409, service.refusal.problem)
    assert problem.finding == NOT_ROOT


def test_a_defect_of_the_service_is_a_500_and_the_next_call_is_answered(
    client: AgentClient, service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    service.defect = ZeroDivisionError("division by zero")
    status, problem = refused(client, "report")
    assert (status, problem.error) == (500, "defect")
    assert "ZeroDivisionError" in problem.message
    assert "Traceback" in caplog.text
    service.defect = None
    assert client.call("report") == service.current


def test_two_requests_travel_on_one_kept_connection(client: AgentClient) -> None:
    one = b"GET /v1/alive HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /v1/facts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = said(client.socket_path, one + last)  # sent at once, so pipelined as well
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"edge-07" in answer


def test_the_server_does_not_start_when_table_and_handlers_differ(
    service: ScriptedService, path: Path
) -> None:
    fewer = {name: handler for name, handler in HANDLERS.items() if name != "facts"}
    with pytest.raises(TableMismatch, match="facts: no handler"):
        ApiServer(service, path, handlers=fewer)
    with pytest.raises(TableMismatch, match="fly: no such endpoint"):
        ApiServer(service, path, handlers={**HANDLERS, "fly": HANDLERS["facts"]})
    turned = tuple(replace(one, stream=True) if one.name == "facts" else one for one in ENDPOINTS)
    with pytest.raises(TableMismatch, match="facts: no handler; facts: no such endpoint"):
        ApiServer(service, path, endpoints=turned)


def test_the_socket_is_for_owner_and_group_only(client: AgentClient) -> None:
    mode = client.socket_path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660


@pytest.mark.real_process
def test_curl_speaks_to_the_agent(client: AgentClient) -> None:
    """The field tool of the manual: GET, POST with a body, and a stream that ends."""

    def curl(*words: str) -> str:
        command = ["curl", "--silent", "--show-error", "--unix-socket", str(client.socket_path), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=15, check=True).stdout

    assert json.loads(curl("http://agent/v1/alive"))["node_id"] == NODE_ID
    made = json.loads(curl("--json", '{"verb":"down"}', "http://agent/v1/jobs"))
    assert made["id"] == JOB_ID
    assert "404" in curl("--output", "/dev/null", "--write-out", "%{http_code}", "http://agent/v1/nothing")
