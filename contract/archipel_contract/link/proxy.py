"""An HTTP proxy on the way out: reading `http://[user:password@]host:port`, and asking it for a tunnel by CONNECT (RFC 9110,
9.3.6).

`reaching` asks it. What travels through the tunnel is TLS, so the proxy learns the broker's name and nothing else. The
password is sent to the proxy only and shown nowhere.
"""

import base64
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from archipel_contract.link import http_head
from archipel_contract.link.carrier import CarrierFailed

DEFAULT_PORT = 8080
AWAY = "link-proxy-away"
REFUSED = "link-proxy-refused"


class ProxyInvalid(ValueError):
    """A proxy's address cannot be used; the message says what is wrong with it and never repeats a password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's address. As text it has no password."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"http://{self.user + '@' if self.user else ''}{_bracketed(self.host)}:{self.port}"


def parse(text: str) -> Proxy:
    """Return the proxy that `text` names; raise ProxyInvalid. User and password may be percent-encoded."""
    wanted = "a proxy is named like http://proxy.example:8080"
    try:
        parts = urlsplit(text.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ProxyInvalid(f"{wanted}: it cannot be read") from None
    if parts.scheme != "http":
        raise ProxyInvalid(f"{wanted}: it must begin with http://")
    if not host or any(one.isspace() or not one.isprintable() for one in host) or port == 0:
        raise ProxyInvalid(f"{wanted}: there is no host or no port in it")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ProxyInvalid(f"{wanted}: there is something behind host and port")
    return Proxy(host, port or DEFAULT_PORT, unquote(parts.username or ""), unquote(parts.password or ""))


def ask(connected: socket.socket, proxy: Proxy, host: str, port: int, until: float) -> None:
    """Have the proxy connect `connected` with the broker, until that time of the monotonic clock; raise CarrierFailed."""
    to = f"{_bracketed(host)}:{port}"
    lines = [f"CONNECT {to} HTTP/1.1", f"Host: {to}"]
    if proxy.user:
        given = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {given}")
    try:
        connected.sendall("\r\n".join([*lines, "", ""]).encode())
        head = http_head.read(connected, until)
    except http_head.HeadUnusable as error:
        raise CarrierFailed(REFUSED, f"{proxy} is no proxy: {error}") from error
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise CarrierFailed(AWAY, f"the proxy {proxy} does not answer: {why}") from error
    said = f"{head.status} {head.reason}".strip()
    if 200 <= head.status < 300:
        if head.rest:
            raise CarrierFailed(REFUSED, f"{proxy} speaks where the broker should")
    elif head.status in (401, 407):  # 407 is right (RFC 9110, 15.5.8); tinyproxy says 401 to a wrong password
        which = "another user or password" if proxy.user else "a user and a password"
        raise CarrierFailed(REFUSED, f"the proxy {proxy} asks for {which} ({said})")
    elif head.status >= 500:
        raise CarrierFailed("link-broker-away", f"the proxy {proxy} does not reach {to}: {said}")
    else:
        raise CarrierFailed(REFUSED, f"the proxy {proxy} lets nobody through to {to}: {said}")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
