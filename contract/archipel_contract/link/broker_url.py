"""Where the broker is: reading `mqtts://host[:port]`, `wss://host[:port][/path]` or `mqtt://[user:password@]host[:port]`,
and the rule that without TLS a link stays on this machine.

The agent's and the controller's settings come through here, and `mqtt` asks the rule again at every connection. Nothing is
looked up and nothing is connected to.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from archipel_contract.link.carrier import CarrierFailed

PLAIN = "mqtt"
TLS = "mqtts"
WEBSOCKET = "wss"
# Registered with IANA for MQTT, MQTT over TLS, and HTTPS.
DEFAULT_PORT = 1883
PORTS = {PLAIN: DEFAULT_PORT, TLS: 8883, WEBSOCKET: 443}
DEFAULT_PATH = "/mqtt"  # what brokers offer for MQTT over WebSocket by convention
EXAMPLE = "mqtts://fleet.example:8883"


class BrokerUrlInvalid(ValueError):
    """A broker's address cannot be used; the message says what is wrong with it and never repeats a password."""


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """A broker's address. As text it has no password, so that it can be logged and shown."""

    host: str
    port: int = DEFAULT_PORT
    user: str = ""
    password: str = field(default="", repr=False)
    scheme: str = PLAIN
    path: str = ""  # of a WebSocket

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{self.user + '@' if self.user else ''}{host}:{self.port}{self.path}"

    @property
    def is_secure(self) -> bool:
        """Whether the connection is TLS, with certificates on both sides."""
        return self.scheme != PLAIN


def parse(text: str) -> BrokerUrl:
    """Return the broker that `text` names; raise BrokerUrlInvalid. User and password may be percent-encoded."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        # What the library says may quote everything behind the host, so only its kind is passed on.
        kind = "the port is not a number from 1 to 65535" if "ort" in str(error) else "it cannot be read"
        raise BrokerUrlInvalid(f"{_wanted()}: {kind}") from None
    if parts.scheme not in PORTS:
        known = ", ".join(f"{one}://" for one in PORTS)
        raise BrokerUrlInvalid(f"{_wanted()}: it must begin with one of {known}")
    if not host or any(letter.isspace() or not letter.isprintable() for letter in host):
        raise BrokerUrlInvalid(f"{_wanted()}: there is no host in it")
    if port == 0:
        raise BrokerUrlInvalid(f"{_wanted()}: the port is not a number from 1 to 65535")
    has_path = parts.scheme != WEBSOCKET and parts.path not in ("", "/")
    if has_path or parts.query or parts.fragment:
        raise BrokerUrlInvalid(f"{_wanted()}: there is something behind host and port")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password and not user:
        raise BrokerUrlInvalid(f"{_wanted()}: there is a password, but no user")
    path = (parts.path if parts.path not in ("", "/") else DEFAULT_PATH) if parts.scheme == WEBSOCKET else ""
    return BrokerUrl(host, port or PORTS[parts.scheme], user, password, parts.scheme, path)


def _wanted() -> str:
    return f"a broker is named like {EXAMPLE} or mqtt://127.0.0.1:1883"


def is_loopback(host: str) -> bool:
    """Whether `host` stays on this machine: 127.0.0.0/8, ::1, localhost. Other names are not looked up: they do not."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(url: BrokerUrl) -> None:
    """Raise CarrierFailed with link-not-loopback for a broker on another machine that would be reached without TLS."""
    if not url.is_secure and not is_loopback(url.host):
        raise CarrierFailed(
            "link-not-loopback",
            f"{url} is on another machine; without TLS only 127.0.0.0/8, ::1 and localhost are allowed",
        )
