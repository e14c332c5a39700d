"""The HTTPS listener for devices: TLS that asks for a certificate and takes expired ones, and the application behind it.

Called by `serve`, which runs it in the loop of the web server. It knows JSON bodies and addresses; what becomes of a request
is the service's affair. Every answer is an `Answer`, so that a device always gets time and trust document.
"""

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from archipel_contract.link.secure import NO_CHECK_TIME, TlsUnusable
from archipel_contract.trust.enrolment import BODY_LIMIT, ENROL, RENEW, TRUST, Answer, Renewal, Request
from archipel_contract.trust.keys import SigningFailed
from archipel_contract.wire import WireError, from_json, to_json
from archipel_fleet.enrolment.service import Enrolment, TooOften
from archipel_fleet.host.server import HttpServer
from archipel_fleet.ports import StoreFailed

PEER = "archipel.peer"  # key of the ASGI scope: DER of the certificate of the other side
CONNECTION_SECONDS = 30.0  # from the handshake to the last byte
BODY_SECONDS = 10.0
THREADS = 4  # of requests that run at once; the pages have threads of their own
CONNECTIONS = 200
# What asyncio sets aside for each TLS connection: a record (RFC 8446, 5.1) instead of its 256 KiB. A fleet that enrols at
# once would make the controller's heap larger by half, for good (measured).
SET_ASIDE = 16 << 10
METHODS = {ENROL: "POST", RENEW: "POST", TRUST: "GET"}
FORCE = b"force=yes"  # query of a renewal before half of the certificate's life


class _Refused(Exception):
    """This request gets only this status."""

    def __init__(self, status: int, wait: float = 0.0) -> None:
        super().__init__(str(status))
        self.status = status
        self.wait = wait


class EnrolmentApp:
    """The application."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        try:
            answer = await self._answered(scope, receive)
        except _Refused as refused:
            await _sent(send, refused.status, b"{}", refused.wait)
        else:
            await _sent(send, 200, to_json(answer))

    async def _answered(self, scope: Scope, receive: Receive) -> Answer:
        path = scope["path"]
        if path not in METHODS:
            raise _Refused(404)
        if scope["method"] != METHODS[path]:
            raise _Refused(405)
        address = scope["client"][0] if scope.get("client") else "unknown"
        if path == TRUST:
            return await self._run(self._enrolment.trust)
        body = await _body(receive)
        try:
            if path == ENROL:
                request = from_json(Request, body)
                return await self._run(lambda: self._enrolment.enrol(request, address))
            renewal, forced = from_json(Renewal, body), FORCE in scope["query_string"].split(b"&")
            return await self._run(
                lambda: self._enrolment.renew(scope.get(PEER), renewal, address, forced=forced)
            )
        except WireError:
            raise _Refused(400) from None

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(THREADS)
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        except TooOften as often:
            raise _Refused(429, often.wait) from None
        except (StoreFailed, SigningFailed):
            raise _Refused(503, 30.0) from None


async def _body(receive: Receive) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Refused(400)
                body += bytes(message.get("body", b""))
                if len(body) > BODY_LIMIT:
                    raise _Refused(413)
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise _Refused(408) from None


async def _sent(send: Send, status: int, body: bytes, wait: float = 0.0) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    if wait:
        headers.append((b"retry-after", str(int(wait) + 1).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which also tells the application whose certificate a connection was made with, and ends it."""

    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """See asyncio.Protocol."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        peer = tls.getpeercert(binary_form=True) if tls is not None else None
        plain = self.app

        async def with_peer(scope: Any, receive: Any, send: Any) -> None:
            scope[PEER] = peer
            await plain(scope, receive, send)

        self.app = with_peer
        self._end = self.loop.call_later(CONNECTION_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)


def server_context(certificate: Path, key: Path, authorities: tuple[str, ...]) -> ssl.SSLContext:
    """Return the context of the listener; raise TlsUnusable. `authorities` are PEM, the only ones a client's certificate may
    be of; that one may have ended, and need not be there.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # Every connection is a full handshake: a session that goes on would not be asked for a certificate again.
    made.options |= ssl.OP_NO_TICKET
    made.num_tickets = 0
    made.verify_mode = ssl.CERT_OPTIONAL
    made.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    try:
        made.load_verify_locations(cadata="\n".join(authorities))
        made.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(f"{certificate}: {getattr(error, 'reason', None) or error}") from error
    return made


def enrolment_server(
    enrolment: Enrolment, context: ssl.SSLContext, ready: Callable[[], None] = lambda: None
) -> HttpServer:
    """Return the listener, to be served on a socket of `listening_socket`.

    A certificate renewed while it runs takes effect for new connections by `context.load_cert_chain`.
    """
    sslproto.SSLProtocol.max_size = SET_ASIDE
    return HttpServer(
        EnrolmentApp(enrolment),
        ready,
        http=PeerProtocol,
        ssl_context_factory=lambda config, default: context,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=16 << 10,
        timeout_keep_alive=5,
    )
