"""The way to a broker: TCP, perhaps through a proxy, then TLS, then perhaps a WebSocket; all within one timeout.

`mqtt` calls it at each connection. The certificate shown there is verified before a single byte of ours is sent over it:
against the fleet's own CA and the name in the address, so that whoever opens TLS on the way learns nothing but that.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import cast

from archipel_contract.link import proxy as proxies
from archipel_contract.link import tls_trouble, websocket
from archipel_contract.link.broker_url import WEBSOCKET, BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.channel import Channel, PlainChannel, TlsChannel
from archipel_contract.link.secure import TlsUnusable

MakeContext = Callable[[], ssl.SSLContext]
LEAST_SECONDS = 0.001


def reach(url: BrokerUrl, tls: MakeContext | None, proxy: str, timeout: float) -> Channel:
    """Return an open channel to the broker; raise CarrierFailed."""
    until = time.monotonic() + timeout
    context = _context(url, tls)  # before anything is sent: a device without a usable key has nothing to say
    connected = _connected(url, proxy, until)
    try:
        if context is None:
            return PlainChannel(connected)
        connected = protected = protect(connected, context, url, until)
        if url.scheme != WEBSOCKET:
            return TlsChannel(protected)
        rest = websocket.upgrade(protected, url, until)
        return websocket.WebSocketChannel(TlsChannel(protected), rest)
    except BaseException:
        connected.close()
        raise


def _context(url: BrokerUrl, tls: MakeContext | None) -> ssl.SSLContext | None:
    if not url.is_secure:
        return None
    if tls is None:
        raise CarrierFailed("link-tls-unusable", f"{url} asks for a certificate, and this machine has none")
    try:
        return tls()
    except TlsUnusable as error:
        raise CarrierFailed("link-tls-unusable", str(error)) from error


def _connected(url: BrokerUrl, proxy: str, until: float) -> socket.socket:
    if not proxy or not url.is_secure:
        return _tcp(url.host, url.port, until, "link-broker-away", str(url))
    try:
        through = proxies.parse(proxy)
    except proxies.ProxyInvalid as error:
        raise CarrierFailed(proxies.REFUSED, str(error)) from None
    connected = _tcp(through.host, through.port, until, proxies.AWAY, f"the proxy {through}")
    try:
        proxies.ask(connected, through, url.host, url.port, until)
    except BaseException:
        connected.close()
        raise
    return connected


def _tcp(host: str, port: int, until: float, code: str, name: str) -> socket.socket:
    try:
        # Not paho's own way of connecting: it binds to all addresses first, and lets small messages wait for each other.
        # typeshed grants bytes to getaddrinfo, but not to create_connection, which hands them on to it.
        address = cast("tuple[str, int]", (as_bytes(host), port))
        connected = socket.create_connection(address, timeout=_left(until))
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise CarrierFailed(code, f"{name} cannot be reached: {why}") from error
    except UnicodeError:
        raise CarrierFailed(code, f"{name} cannot be reached: this is no host's name") from None
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What arrives first is answered at once anyway: an acknowledgement of its own for each packet (tcp(7)) costs a node
    # that dials in a tenth of its bytes.
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    return connected


def protect(connected: socket.socket, context: ssl.SSLContext, url: BrokerUrl, until: float) -> ssl.SSLSocket:
    """Return the same connection under TLS, hands shaken before `until` (monotonic seconds); raise CarrierFailed, it is
    closed then.
    """
    try:
        connected.getpeername()
    except OSError as error:
        # Of a socket that was reset before, CPython 3.11 makes one that nobody closes, or one that has shaken no hands.
        connected.close()
        raise CarrierFailed("link-broker-away", f"{url} ended the connection before TLS began") from error
    connected.settimeout(_left(until))  # of the whole handshake: CPython counts it down over all of its steps
    try:
        return context.wrap_socket(connected, server_hostname=as_bytes(url.host))
    except ssl.SSLError as error:
        code, detail = tls_trouble.in_handshake(error, url.host)
        raise CarrierFailed(code, f"{url}: {detail}") from error
    except TimeoutError as error:
        raise CarrierFailed(
            "link-broker-away", f"{url} was reached but did not answer to TLS in time"
        ) from error
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError):
            connected.close()
        why = getattr(error, "strerror", None) or str(error)
        raise CarrierFailed("link-broker-away", f"{url} ended the connection during TLS: {why}") from error


def as_bytes(host: str) -> str | bytes:
    """Return a plain name as Python takes it unchanged; for text it loads IDNA, whose tables stay in memory for good."""
    return host.encode() if host.isascii() else host


def _left(until: float) -> float:
    return max(LEAST_SECONDS, until - time.monotonic())
