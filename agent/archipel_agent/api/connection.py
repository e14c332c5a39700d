"""One client connection: requests in, answers and event streams out, and no patience for clients that hang.

Made by the server for each connection. Knows HTTP (through h11) and the clock's limits; what an answer says comes from the
desk, in worker threads.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import h11

from archipel_agent.api.roles import Caller
from archipel_agent.api.routes import MethodRefused, Route
from archipel_agent.api.streams import Round
from archipel_agent.service import Refused
from archipel_contract import wire
from archipel_contract.api import MAX_BODY_BYTES

CHUNK = 16_384
SIGN_OF_LIFE = b": still here\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may take of us. Times in seconds."""

    connections: int = 32
    body_bytes: int = MAX_BODY_BYTES
    head_seconds: float = 5.0  # for a whole request head, the wait for it on a kept connection included
    body_seconds: float = 5.0
    write_seconds: float = 10.0  # for the client to take what was written
    alive_seconds: float = 5.0  # between signs of life on a stream
    gap_seconds: float = 0.05  # changes closer together than this travel in one round


class Desk(Protocol):
    """What a connection asks for: the service behind the table of endpoints."""

    def find(self, method: str, target: str, caller: Caller) -> Route:
        """Return the route the caller may take; raise Refused."""
        ...

    async def answer(self, route: Route, body: bytes, caller: Caller) -> bytes:
        """Return the JSON of the answer; raise Refused."""
        ...

    async def stream(
        self, route: Route, wake: Callable[[], None]
    ) -> tuple[Callable[[], Awaitable[Round]], Callable[[], None]]:
        """Return what gives the next round of a stream, and the way out; `wake` is called when a round is due."""
        ...


class _Over(Exception):
    """The connection is of no more use: the client went away, or hangs."""


class Connection:
    """One connection of one caller."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, desk: Desk, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._desk = desk
        self._limits = limits
        self._http = h11.Connection(h11.SERVER)
        # Drain then waits until the client took everything, so that the time limit counts for every answer.
        writer.transport.set_write_buffer_limits(high=0)

    async def serve(self, caller: Caller) -> None:
        """Answer requests until the client is done, hangs, or sends what is no HTTP."""
        with contextlib.suppress(_Over, ConnectionError):
            while await self._exchange(caller):
                self._http.start_next_cycle()

    async def refuse(self, refusal: Refused) -> None:
        """Answer without having read anything, for a connection that is not wanted."""
        with contextlib.suppress(_Over, ConnectionError):
            await self._send_problem(refusal)

    async def _exchange(self, caller: Caller) -> bool:
        """Do one request; return whether the connection can take another."""
        try:
            request = await self._head()
            if request is None:
                return False
            body = await self._body(request)
            target = request.target.decode("ascii", "replace")
            route = self._desk.find(request.method.decode("ascii", "replace"), target, caller)
            if route.endpoint.stream:
                await self._stream(route)
            else:
                await self._send(200, await self._desk.answer(route, body, caller) + b"\n")
        except h11.RemoteProtocolError as error:
            await self._send_problem(
                Refused(error.error_status_hint, "rubbish", f"this is no HTTP request: {error}")
            )
        except Refused as refusal:
            await self._send_problem(refusal)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _head(self) -> h11.Request | None:
        """Return the next request's head; None when the client left or stayed silent between requests."""
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                event = await self._event()
        except TimeoutError:
            if not self._http.trailing_data[0]:
                return None
            raise Refused(
                408, "slow", f"no whole request came within {self._limits.head_seconds:g} s"
            ) from None
        return event if isinstance(event, h11.Request) else None

    async def _body(self, request: h11.Request) -> bytes:
        limit = self._limits.body_bytes
        too_large = Refused(413, "too-large", f"a request may have {limit} bytes at most")
        # h11 let through only a sequence of digits here.
        lengths = [value for name, value in request.headers if name == b"content-length"]
        if lengths and int(lengths[0][:20]) > limit:
            raise too_large
        if self._http.they_are_waiting_for_100_continue:
            await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        body = b""
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while isinstance(event := await self._event(), h11.Data):
                    body += bytes(event.data)
                    if len(body) > limit:
                        raise too_large
        except TimeoutError:
            raise Refused(
                408, "slow", f"the body did not come within {self._limits.body_seconds:g} s"
            ) from None
        return body

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(CHUNK))
        return event

    async def _stream(self, route: Route) -> None:
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # The service may call once more while the loop is being closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        next_round, leave = await self._desk.stream(route, wake)
        try:
            turn = await next_round()  # what is refused here is still an answer of its own
            await self._write(self._stream_head())
            # A client says nothing on a stream; whatever can be read means that it is gone or off its head.
            hangup = asyncio.create_task(
                self._reader.read(1), name="api stream: waiting for the client to hang up"
            )
            hangup.add_done_callback(lambda _: changed.set())
            try:
                await self._rounds(turn, next_round, changed, hangup)
            finally:
                hangup.cancel()
                await asyncio.wait([hangup])
        finally:
            leave()
        await self._write(self._http.send(h11.EndOfMessage()))

    async def _rounds(
        self,
        turn: Round,
        next_round: Callable[[], Awaitable[Round]],
        changed: asyncio.Event,
        hangup: "asyncio.Task[bytes]",
    ) -> None:
        limits = self._limits
        while True:
            if turn.events:
                await self._write(self._http.send(h11.Data(data=b"".join(turn.events))))
            if turn.over:
                return
            try:
                async with asyncio.timeout(limits.alive_seconds):
                    await changed.wait()
                await asyncio.sleep(limits.gap_seconds)
            except TimeoutError:
                await self._write(self._http.send(h11.Data(data=SIGN_OF_LIFE)))
            if hangup.done():
                raise _Over
            changed.clear()
            try:
                turn = await next_round()
            except Refused as refusal:
                raise _Over from refusal  # the head is out; breaking off is all that HTTP leaves us

    def _stream_head(self) -> bytes | None:
        headers = [
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        return self._http.send(h11.Response(status_code=200, headers=headers))

    async def _send_problem(self, refusal: Refused) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            raise _Over
        extra = [("Allow", refusal.allowed)] if isinstance(refusal, MethodRefused) else []
        await self._send(refusal.status, wire.to_json(refusal.problem) + b"\n", extra)

    async def _send(self, status: int, payload: bytes, extra: list[tuple[str, str]] | None = None) -> None:
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(payload))),
            *(extra or []),
        ]
        if self._http.their_state is not h11.DONE:
            headers.append(("Connection", "close"))
        parts = (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=payload),
            h11.EndOfMessage(),
        )
        await self._write(b"".join(self._http.send(part) or b"" for part in parts))

    async def _write(self, data: bytes | None) -> None:
        self._writer.write(data or b"")
        try:
            async with asyncio.timeout(self._limits.write_seconds):
                await self._writer.drain()
        except TimeoutError:
            raise _Over from None


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection for good: what the client has not taken by now is dropped."""
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
