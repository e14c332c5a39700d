"""The client of the local API: one blocking call per endpoint, made from the table in `api`.

Used by the CLI, the TUI (in worker threads) and tests. It never retries: the caller knows whether a call may
be repeated, and start_job's `key` makes it safe to.
"""

import contextlib
import json
import socket
import urllib.parse
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h11

from archipel_contract import wire
from archipel_contract.api import Endpoint, Problem, endpoint

CHUNK = 65_536


class AgentAway(Exception):
    """Nobody answers on the socket, or the answer broke off; the message says what was tried."""


class NotAdmitted(AgentAway):
    """An agent may answer there, but this user may not open its socket."""


class ApiRefused(Exception):
    """The agent answered with an error; `status` is the HTTP status and `problem` the body."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.message)
        self.status = status
        self.problem = problem


class AgentClient:
    """Calls endpoints by name; each call opens a connection of its own, so that threads may share a client."""

    def __init__(self, socket_path: Path, timeout: float = 10.0) -> None:
        self.socket_path = socket_path
        self.timeout = timeout  # seconds for connecting and between any two pieces of an answer
        self._open: set[socket.socket] = set()
        self._closed = False

    def close(self) -> None:
        """Hang up every call under way, from whatever thread; those and all later calls raise AgentAway."""
        self._closed = True
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # it ended by itself meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _exchange(self, timeout: float | None) -> Iterator["_Exchange"]:
        with _Exchange(self.socket_path, self.timeout if timeout is None else timeout) as exchange:
            self._open.add(exchange.connection)
            try:
                if self._closed:
                    raise AgentAway("this client was closed")
                yield exchange
            finally:
                self._open.discard(exchange.connection)

    def call(self, name: str, body: Any = None, timeout: float | None = None, **words: str) -> Any:
        """Call endpoint `name` and return its response type.

        `words` fill the path first and the query with the rest. Raises AgentAway, ApiRefused, or WireError
        when the answer is not of the promised shape.
        """
        target = endpoint(name)
        with self._exchange(timeout) as exchange:
            status, answer = exchange.ask(target, body, words)
            payload = b"".join(answer)
        _refuse(status, payload)
        return wire.from_json(target.response, payload)

    def stream(self, name: str, timeout: float | None = None, **words: str) -> Generator[Any, None, None]:
        """Yield the events of the stream `name` until the agent ends it; raises as `call` does.

        The agent sends a comment at least every 5 s, so a timeout above that notices a hanging agent.
        """
        target = endpoint(name)
        with self._exchange(timeout) as exchange:
            status, answer = exchange.ask(target, None, words)
            if status != 200:
                _refuse(status, b"".join(answer))
            for data in _events(answer):
                yield wire.from_json(target.response, data)


def _refuse(status: int, payload: bytes) -> None:
    if 200 <= status < 300:
        return
    try:
        problem = wire.from_json(Problem, payload)
    except wire.WireError:
        problem = Problem(error="unreadable", message=payload[:200].decode(errors="replace"))
    raise ApiRefused(status, problem)


def _events(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yield the data of each server-sent event; comments (lines starting with ':') keep the connection alive
    only.
    """
    pending = b""
    for chunk in chunks:
        pending += chunk
        while b"\n\n" in pending:
            block, pending = pending.split(b"\n\n", 1)
            data = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
            if data:
                yield b"\n".join(data).decode()


class _Exchange:
    """One request and its answer on one connection."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._http = h11.Connection(h11.CLIENT)
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.settimeout(timeout)

    def __enter__(self) -> Self:
        try:
            self.connection.connect(str(self._path))
        except PermissionError as error:
            self.connection.close()
            raise NotAdmitted(f"this user may not open {self._path}") from error
        except OSError as error:
            self.connection.close()
            raise AgentAway(f"no agent on {self._path}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.connection.close()

    def ask(self, target: Endpoint, body: Any, words: dict[str, str]) -> tuple[int, Iterator[bytes]]:
        """Send the request; return the status and the pieces of the body as they come."""
        payload = b"" if body is None else wire.to_json(body)
        headers = [("Host", "agent"), ("Content-Length", str(len(payload))), ("Accept", "application/json")]
        if payload:
            headers.append(("Content-Type", "application/json"))
        request = h11.Request(method=target.method, target=_target(target, words), headers=headers)
        parts = (request, h11.Data(data=payload), h11.EndOfMessage())
        message = b"".join(self._http.send(part) or b"" for part in parts)
        try:
            # An agent that refuses the connection answers and hangs up without reading: its answer counts,
            # not our fate.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.connection.sendall(message)
        except OSError as error:
            raise AgentAway(f"the agent hung up: {error.strerror or error}") from error
        event = self._next()
        if not isinstance(event, h11.Response):
            raise AgentAway("the agent hung up before it answered")
        return event.status_code, self._body()

    def _body(self) -> Iterator[bytes]:
        while isinstance(event := self._next(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise AgentAway("the agent hung up in the middle of its answer")

    def _next(self) -> Any:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(self.connection.recv(CHUNK))
        except TimeoutError as error:
            raise AgentAway(f"the agent did not answer within {self.connection.gettimeout():g} s") from error
        except OSError as error:
            raise AgentAway(f"the agent hung up: {error.strerror or error}") from error
        except h11.RemoteProtocolError as error:
            if self._http.trailing_data[1]:
                raise AgentAway("the agent hung up in the middle of its answer") from error
            raise AgentAway(f"what answers on the socket does not speak HTTP: {error}") from error
        return event


def _target(target: Endpoint, words: dict[str, str]) -> str:
    path = target.path
    query = {}
    for key, value in words.items():
        placeholder = f"{{{key}}}"
        if placeholder in path:
            path = path.replace(placeholder, urllib.parse.quote(value, safe=""))
        elif key in target.query:
            query[key] = value
        else:
            raise TypeError(f"{target.name} takes no {key!r}: {json.dumps(sorted(target.query))}")
    return f"{path}?{urllib.parse.urlencode(query)}" if query else path
