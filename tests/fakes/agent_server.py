"""A scripted agent behind a real Unix socket, for tests of the terminal UI: canned contract objects, no work
of its own.

Routes come from the table `ENDPOINTS`, so that it cannot answer what the real one does not offer. A test
pushes reports, says how a job goes on, and makes the agent go away and come back. Whether the real server
keeps the same promises is tested with the real one (`tests/tui/test_real_api.py`).
"""

import http.server
import json
import re
import socketserver
import threading
import urllib.parse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archipel_contract import wire
from archipel_contract.api import (
    API_VERSION,
    ENDPOINTS,
    AccessRole,
    Alive,
    Checks,
    Endpoint,
    Jobs,
    Kubeconfig,
    LogLines,
    Problem,
)
from archipel_contract.facts import NodeFacts
from archipel_contract.jobs import Job, JobEvent, JobRequest, JobState, Plan, Step
from archipel_contract.status import Report

COMMENT_SECONDS = 0.2  # how often a quiet stream shows that it lives


class Refusal(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.message)
        self.status = status
        self.problem = problem


@dataclass
class Script:
    """What the agent knows and answers; guarded by `changed`, which also wakes the streams."""

    report: Report
    facts: NodeFacts
    checks: Checks
    plan: Plan
    job: Job | None = None
    role: AccessRole = AccessRole.TECHNICIAN
    logs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)  # endpoint -> what it answers instead
    asked: list[tuple[str, Any]] = field(default_factory=list)  # (endpoint, request or query), in order
    events: list[JobEvent] = field(default_factory=list)
    after_start: list[tuple[Job, str]] = field(default_factory=list)  # what happens as soon as a job starts
    changed: threading.Condition = field(default_factory=threading.Condition)


class FakeAgent:
    """Serves a script on `path`; `leave` and `come_back` are the agent's death and restart."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.script = script
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def come_back(self) -> None:
        """Start answering."""
        self.path.unlink(missing_ok=True)
        self._server = _Server(self.path, self.script)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="fake agent")
        self._thread.start()

    def leave(self) -> None:
        """Stop answering and cut every connection, as a killed process does."""
        if self._server is None or self._thread is None:
            return
        self._server.ended.set()
        self._server.shutdown()
        self._server.hang_up()
        with self.script.changed:
            self.script.changed.notify_all()
        self._server.server_close()
        self._thread.join(5)
        self.path.unlink(missing_ok=True)
        self._server = self._thread = None

    def push(self, report: Report) -> None:
        """Have every watcher see this report."""
        with self.script.changed:
            self.script.report = report
            self.script.changed.notify_all()

    def go_on(self, job: Job, line: str = "") -> None:
        """Have the job stand like this, with a line of its log."""
        with self.script.changed:
            self.script.job = job
            self.script.events.append(JobEvent(sequence=len(self.script.events) + 1, job=job, line=line))
            self.script.changed.notify_all()

    def requests(self, name: str) -> list[Any]:
        """What was asked of one endpoint."""
        with self.script.changed:
            return [what for endpoint, what in self.script.asked if endpoint == name]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, path: Path, script: Script) -> None:
        self.script = script
        self.ended = threading.Event()
        self._connections: set[Any] = set()
        super().__init__(str(path), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Remember the connection, so that it can be cut; http.server wants an address to print."""
        connection, _ = super().get_request()
        self._connections.add(connection)
        return connection, ("agent", 0)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Cut all connections."""
        for connection in list(self._connections):
            try:
                connection.shutdown(2)
            except OSError:
                continue  # it ended by itself

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            endpoint, words = _route(self.command, url.path)
            words |= dict(urllib.parse.parse_qsl(url.query))
            unknown = set(words) - set(endpoint.query) - set(re.findall(r"{(\w+)}", endpoint.path))
            assert not unknown, f"{endpoint.name} takes no {unknown}"
            request = wire.from_json(endpoint.request, body) if endpoint.request else words
            script = self.server.script
            with script.changed:
                script.asked.append((endpoint.name, request))
                refusal = script.refusals.get(endpoint.name)
            if refusal:
                raise refusal
            if script.role < endpoint.role:
                raise Refusal(
                    403, Problem(error="not-permitted", message="not yours", remedy="ask the owner")
                )
            if endpoint.stream:
                self._stream(endpoint, words)
            else:
                value = _value(script, endpoint, request)
                assert isinstance(value, endpoint.response), endpoint.name
                self._send(200, wire.to_json(value))
        except Refusal as refusal:
            self._send(refusal.status, wire.to_json(refusal.problem))

    def _send(self, status: int, payload: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        self.close_connection = True

    def _stream(self, endpoint: Endpoint, words: dict[str, str]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        script, ended = self.server.script, self.server.ended
        sent = int(words.get("after", "0"))
        last: Report | None = None
        while not ended.is_set():
            with script.changed:
                values: list[Any] = []
                over = False
                if endpoint.name == "watch":
                    values = [] if script.report is last else [script.report]
                    last = script.report
                else:
                    values = list(script.events[sent:])
                    over = script.job is not None and script.job.is_over
                    sent = len(script.events)
                if not values and not over:
                    script.changed.wait(COMMENT_SECONDS)
            for value in values:
                self.wfile.write(b"data: " + wire.to_json(value) + b"\n\n")
            if over:
                return
            if not values:
                self.wfile.write(b": alive\n\n")


def _route(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    for endpoint in ENDPOINTS:
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", endpoint.path)
        found = re.fullmatch(pattern, path)
        if found and endpoint.method == method:
            return endpoint, {key: urllib.parse.unquote(value) for key, value in found.groupdict().items()}
    raise Refusal(404, Problem(error="not-found", message=f"there is no {method} {path}"))


def _value(script: Script, endpoint: Endpoint, request: Any) -> Any:
    """Return what `endpoint` answers; raise Refusal."""
    with script.changed:
        match endpoint.name:
            case "alive":
                node_id = script.report.node.node_id
                return Alive(
                    agent_version="0.1.0",
                    api_version=API_VERSION,
                    pid=1,
                    node_id=node_id,
                    role=int(script.role),
                )
            case "report":
                return script.report
            case "facts":
                return script.facts
            case "site":
                return script.report.site or _missing("no site yet")
            case "checks":
                return script.checks
            case "plan":
                return script.plan
            case "jobs":
                return Jobs(jobs=(script.job,) if script.job else ())
            case "start_job":
                return _start(script, request)
            case "job":
                return (
                    script.job
                    if script.job and script.job.id == request["job_id"]
                    else _missing("no such job")
                )
            case "cancel_job":
                return _cancel(script)
            case "logs":
                lines = script.logs.get(request["source"], ())[-int(request.get("lines", "200")) :]
                return LogLines(source=request["source"], lines=lines)
            case "kubeconfig":
                return Kubeconfig(path="/etc/rancher/k3s/k3s.yaml", content=json.dumps({"kind": "Config"}))
    raise AssertionError(f"the fake does not answer {endpoint.name}")


def _missing(message: str) -> Any:
    raise Refusal(404, Problem(error="not-found", message=message))


def _start(script: Script, request: JobRequest) -> Job:
    if script.job is not None and not script.job.is_over:
        if script.job.result.get("key") == request.key:
            return script.job
        raise Refusal(409, Problem(error="busy", message="another job is running"))
    steps = script.plan.steps
    script.events.clear()
    script.job = Job(
        id="j-0000000000000001",
        verb=request.verb,
        state=JobState.RUNNING,
        options=request.options,
        steps=tuple(Step(slug=step.slug, title=step.title) for step in steps),
        result={"key": request.key},
    )
    begun = script.job
    for job, line in script.after_start:
        script.events.append(JobEvent(sequence=len(script.events) + 1, job=job, line=line))
        script.job = job
    return begun


def _cancel(script: Script) -> Job:
    assert script.job is not None
    script.job = replace(script.job, state=JobState.CANCELLED, sentence="undone")
    script.events.append(JobEvent(sequence=len(script.events) + 1, job=script.job))
    script.changed.notify_all()
    return script.job
