"""The server of the local API: the socket, its connections, and the desk that turns requests into calls of the service.

Started and closed by the daemon. The agent's own work never runs in the event loop: calls of the service block, and
are made from a few worker threads.
"""

import asyncio
import contextlib
import functools
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from archipel_agent.api import connection, socket_file
from archipel_agent.api.connection import Connection, Limits
from archipel_agent.api.handlers import HANDLERS, Call, Handler, check
from archipel_agent.api.roles import Caller, Callers, socket_group
from archipel_agent.api.routes import Route, Router, may
from archipel_agent.api.streams import STREAMS, Round
from archipel_agent.service import AgentService, Refused
from archipel_contract import wire
from archipel_contract.api import ENDPOINTS, Endpoint

T = TypeVar("T")

WORKERS = 8  # so many calls run at once; more wait their turn
PAUSE_SECONDS = 0.5
LOG = logging.getLogger(__name__)


class ApiServer:
    """Serves one service on one socket."""

    def __init__(
        self,
        service: AgentService,
        path: Path,
        *,
        limits: Limits = Limits(),
        callers: Callers | None = None,
        endpoints: Sequence[Endpoint] = ENDPOINTS,
        handlers: dict[str, Handler] = HANDLERS,
    ) -> None:
        """Raise TableMismatch when endpoints and handlers do not fit together."""
        check(endpoints, set(handlers), set(STREAMS))
        self._path = path
        self._limits = limits
        self._callers = callers or Callers()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="api")
        self._desk = _Desk(service, Router(endpoints), handlers, self._pool)
        self._listening: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Make the socket and serve; raise socket_file.SocketUnavailable if it cannot be made."""
        # Only root can give the socket to a group it is not in; any other user's agent serves that user.
        group = socket_group() if os.geteuid() == 0 else None
        self._listening = await self._in_pool(socket_file.bind, self._path, group)
        self._identity = await self._in_pool(socket_file.identity, self._path)
        self._listen()

    async def close(self) -> None:
        """Stop serving: hang up every client, end every task, remove the socket. Calls under way end by themselves."""
        if self._listening is not None:
            if self._pause is not None:
                self._pause.cancel()
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._in_pool(socket_file.remove, self._path, self._identity)
            self._listening = None
        self._pool.shutdown(wait=False)

    async def _in_pool(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    # Accepting is done here and not by asyncio's server, which (3.11) forgets a client that it accepted just before it
    # was closed: that client would wait for ever.

    def _listen(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            accepted, _ = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it left again
        except OSError:
            # No file descriptor is left. The clients wait in the queue; trying at once again would only heat the CPU.
            loop.remove_reader(listening)
            self._pause = loop.call_later(PAUSE_SECONDS, self._listen)
            return
        accepted.setblocking(False)
        task = loop.create_task(self._connected(accepted), name="api connection")
        self._connections.add(task)
        task.add_done_callback(functools.partial(self._ended, accepted))

    def _ended(self, accepted: socket.socket, task: "asyncio.Task[None]") -> None:
        accepted.close()  # its transport did already, unless the task was cancelled before it began
        self._connections.discard(task)

    async def _connected(self, accepted: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=accepted, limit=connection.CHUNK)
            try:
                await self._serve(Connection(reader, writer, self._desk, self._limits), writer)
            finally:
                await connection.close(writer)
        except Exception as error:  # noqa: BLE001 - the boundary of a connection: one client must not end the others
            await self._in_pool(_log_defect, error)

    async def _serve(self, client: Connection, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) > self._limits.connections:
            await client.refuse(
                Refused(
                    503,
                    "too-many-connections",
                    f"{self._limits.connections} clients are connected already",
                    "Close some of them, and try again.",
                )
            )
            return
        # A client that is gone already has no credentials any more.
        with contextlib.suppress(OSError):
            caller = await self._in_pool(self._callers.caller, writer.get_extra_info("socket"))
            await client.serve(caller)


class _Desk:
    """Calls the service for requests; see connection.Desk."""

    def __init__(
        self, service: AgentService, router: Router, handlers: dict[str, Handler], pool: ThreadPoolExecutor
    ) -> None:
        self._service = service
        self._router = router
        self._handlers = handlers
        self._pool = pool

    def find(self, method: str, target: str, caller: Caller) -> Route:
        """Return the route the caller may take."""
        route = self._router.find(method, target)
        may(caller.role, route.endpoint, caller.name)
        return route

    async def answer(self, route: Route, body: bytes, caller: Caller) -> bytes:
        """Return the JSON of the answer."""
        return await self._guarded(lambda: self._called(route, body, caller))

    async def stream(
        self, route: Route, wake: Callable[[], None]
    ) -> tuple[Callable[[], Awaitable[Round]], Callable[[], None]]:
        """Return what gives the next round of a stream, and the way out."""
        source = STREAMS[route.endpoint.name](self._service, Call(words=route.words))
        unsubscribe = await self._guarded(lambda: self._service.subscribe(wake))
        # The way out may take a lock of the service: not in the loop, and nobody waits for it.
        return lambda: self._guarded(source.next), lambda: _submit(self._pool, unsubscribe)

    def _called(self, route: Route, body: bytes, caller: Caller) -> bytes:
        endpoint = route.endpoint
        if caller.role is None:
            raise AssertionError("find lets nobody through without a role")
        call = Call(words=route.words, body=_read(endpoint, body), role=caller.role, name=caller.name)
        return wire.to_json(self._handlers[endpoint.name](self._service, call))

    async def _guarded(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, _foreseen, work)


def _foreseen(work: Callable[[], T]) -> T:
    """Do `work` in a worker thread, where writing to the log may block; what it does not foresee is refused with 500."""
    try:
        return work()
    except Refused:
        raise
    except Exception as error:  # the task boundary: a defect in one call is its caller's answer
        LOG.exception("a call of the local API failed")
        raise Refused(
            500,
            "defect",
            f"the agent failed to answer: {type(error).__name__}: {error}",
            "Look into the agent's log: archipel logs agent",
        ) from error


def _log_defect(error: Exception) -> None:
    LOG.error("a connection of the local API ended by a defect", exc_info=error)


def _submit(pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the pool is closed, and the service with it
        pool.submit(work)


def _read(endpoint: Endpoint, body: bytes) -> object:
    """Return the request's body as the type the endpoint names; raise Refused with 400."""
    if endpoint.request is None:
        if body.strip():
            raise Refused(400, "body", f"{endpoint.name} takes no body")
        return None
    try:
        return wire.request_from_json(endpoint.request, body)
    except wire.WireError as error:
        raise Refused(400, "body", f"the body is not a {endpoint.request.__name__}: {error}") from error
