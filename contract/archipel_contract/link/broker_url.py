"""Where the broker is: reading `mqtt://[user:password@]host[:port]`, and the rule about which hosts a link may reach.

The agent's and the controller's settings come through here, and `mqtt` asks the rule again at every connection. Nothing is
looked up and nothing is connected to.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from archipel_contract.link.carrier import CarrierFailed

SCHEME = "mqtt"
DEFAULT_PORT = 1883  # registered with IANA for MQTT without TLS
EXAMPLE = "mqtt://127.0.0.1:1883"


class BrokerUrlInvalid(ValueError):
    """A broker's address cannot be used; the message says what is wrong with it and never repeats a password."""


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """A broker's address. As text it has no password, so that it can be logged and shown."""

    host: str
    port: int = DEFAULT_PORT
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}://{self.user + '@' if self.user else ''}{host}:{self.port}"


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
    if parts.scheme != SCHEME:
        raise BrokerUrlInvalid(f"{_wanted()}: it must begin with {SCHEME}://")
    if not host or any(letter.isspace() or not letter.isprintable() for letter in host):
        raise BrokerUrlInvalid(f"{_wanted()}: there is no host in it")
    if port == 0:
        raise BrokerUrlInvalid(f"{_wanted()}: the port is not a number from 1 to 65535")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise BrokerUrlInvalid(f"{_wanted()}: there is something behind host and port")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password and not user:
        raise BrokerUrlInvalid(f"{_wanted()}: there is a password, but no user")
    return BrokerUrl(host, port or DEFAULT_PORT, user, password)


def _wanted() -> str:
    return f"a broker is named like {EXAMPLE} or mqtt://user:password@localhost"


def is_loopback(host: str) -> bool:
    """Whether `host` stays on this machine: 127.0.0.0/8, ::1, localhost. Other names are not looked up: they do not."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(url: BrokerUrl) -> None:
    """Raise CarrierFailed with link-not-loopback for a broker on another machine.

    Devices have no keys yet and nothing on the link is encrypted or signed, so it must not leave the machine.
    """
    if not is_loopback(url.host):
        raise CarrierFailed(
            "link-not-loopback",
            f"{url} is on another machine; without keys only 127.0.0.0/8, ::1 and localhost are allowed",
        )
