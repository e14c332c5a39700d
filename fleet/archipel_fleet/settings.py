"""Settings of the controller: default < file < environment < command line, each field with its meaning.

The file is `fleet.toml` in the data directory; environment names are `ARCHIPEL_FLEET_` plus the field in capitals. An
unknown key or a wrong type is refused with its place. Where the data directory lies is settled first, and never by the
file in it.
"""

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from archipel_contract.link import broker_url
from archipel_contract.link.broker_url import is_loopback
from archipel_contract.link.topics import SHARDS
from archipel_contract.settings import SettingsInvalid, gathered, one_of, text

FILE = "fleet.toml"
PREFIX = "ARCHIPEL_FLEET_"
SYSTEM_DATA = Path("/var/lib/archipel-fleet")
ENROL_PORT = 8471
DATABASES = ("postgresql", "sqlite")


class NotLoopback(SettingsInvalid):
    """An address leads off this machine, for something that is not protected on the way there."""

    code = "fleet-not-loopback"

    def __init__(self, what: str, address: str) -> None:
        super().__init__(f"{what} {address} is not on this machine")
        self.what = what
        self.address = address


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings."""

    data: str = ""
    """Directory of the database, the embedded broker and the token of the command line; empty for the user's own."""

    listen: str = "127.0.0.1:8470"
    """Address and port of the web pages and the API; only addresses of this machine."""

    names: str = ""
    """Host names and addresses under which devices reach this controller, with commas between; the first is told to them.
    Empty: it is reached from this machine only."""

    enrol_listen: str = ""
    """Address and port where devices get their certificates; empty: port 8471, of all addresses if there are names, else of
    this machine only."""

    security: str = "tls"
    """How broker, controller and devices talk: tls, with certificates on all sides, or loopback, without any and on this
    machine only (for tests and benchmarks)."""

    broker: str = ""
    """Address of an MQTT broker of yours, such as mqtts://broker.example:8883; empty starts the embedded one."""

    broker_port: int = 0
    """Port of the embedded broker; 0 is 8883, or 1883 with security loopback."""

    websocket_port: int = 0
    """Port of the embedded broker for MQTT over WebSocket, for devices behind a proxy; 0: none."""

    device_brokers: str = ""
    """Addresses of brokers that devices are told, in the order in which to try them, with commas between; empty: the
    controller's own."""

    database: str = ""
    """Address of a PostgreSQL on this machine, such as postgresql://127.0.0.1/archipel; empty keeps SQLite in the data
    directory."""

    shards: str = "0-63"
    """Which of the 64 shards of the fleet this controller takes in; all, unless several share the work."""

    log_level: str = "INFO"
    """How much the controller writes to its log: DEBUG, INFO, WARNING or ERROR."""

    language: str = "en"
    """Language of the sentences the controller says at its start: en or de. Pages choose their own."""

    ready_file: str = ""
    """File that is written, holding the address of the pages, once the controller is ready; empty for none."""

    @property
    def directory(self) -> Path:
        """The data directory."""
        return Path(self.data)

    @property
    def token_file(self) -> Path:
        """What commands on this machine log in with; written anew at every start of the controller."""
        return self.directory / "cli.token"

    @property
    def broker_directory(self) -> Path:
        """Where the embedded broker keeps its files."""
        return self.directory / "broker"

    @property
    def host(self) -> str:
        """The address part of `listen`."""
        return _parts(self.listen)[0]

    @property
    def port(self) -> int:
        """The port part of `listen`; 0 takes any free one."""
        return _parts(self.listen)[1]

    @property
    def is_secure(self) -> bool:
        """Whether devices and controller need certificates. A plain broker is one for this machine without any."""
        return self.security == "tls" and not self.broker.startswith(f"{broker_url.PLAIN}://")

    @property
    def server_names(self) -> tuple[str, ...]:
        """Every name and address that certificates of our servers hold; the first is the one devices are told."""
        own = tuple(name.strip() for name in self.names.split(",") if name.strip())
        return tuple(dict.fromkeys((*own, "127.0.0.1", "localhost", "::1")))

    @property
    def is_public(self) -> bool:
        """Whether devices come from other machines."""
        return not is_loopback(self.server_names[0])

    @property
    def enrol_address(self) -> tuple[str, int]:
        """Where the listener for enrolment is bound: address and port."""
        return _parts(self.enrol_listen or f"{'0.0.0.0' if self.is_public else '127.0.0.1'}:{ENROL_PORT}")

    @property
    def embedded_port(self) -> int:
        """The port of the embedded broker."""
        return self.broker_port or (8883 if self.is_secure else 1883)

    @property
    def claimed(self) -> frozenset[int]:
        """The shards as numbers."""
        return _numbers(self.shards)


CHOICES = {
    "security": ("tls", "loopback"),
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "language": ("en", "de"),
}


def load(
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    is_root: bool | None = None,
) -> Settings:
    """Return the settings; `flags` with the value None count as not given. Raises SettingsInvalid (NotLoopback).

    The data directory in the result is never empty and absolute.
    """
    around = os.environ if environment is None else environment
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    directory = _directory(given.pop("data", None), around, os.geteuid() == 0 if is_root is None else is_root)
    names = [field.name for field in fields(Settings) if field.name != "data"]
    # A directory that is none is refused, with its remedy, by whoever uses it.
    file = None if directory.is_file() else directory / FILE
    values = gathered(names, _checked, file, around, PREFIX, given)
    values["data"] = str(directory)
    return Settings(**values)  # type: ignore[arg-type]  # each value was checked against its field just above


def _directory(given: object, environment: Mapping[str, str], is_root: bool) -> Path:
    chosen = str(given or "") or environment.get(f"{PREFIX}DATA", "")
    if chosen:
        return Path(chosen).absolute()
    if is_root:
        return SYSTEM_DATA
    shared = environment.get("XDG_DATA_HOME") or f"{environment.get('HOME') or '.'}/.local/share"
    return Path(shared).absolute() / "archipel-fleet"


def _checked(name: str, value: object, place: str) -> object:
    if isinstance(getattr(Settings(), name), int):
        return _port(value, place)
    value = text(value, place)
    if name in CHOICES:
        return one_of(CHOICES[name], value, place)
    if name == "shards":
        try:
            _numbers(value)
        except ValueError:
            raise SettingsInvalid(f"{place} must be shards such as 0-31 or 0-15,48, not {value!r}") from None
    if name == "listen":
        _check_listen(value, place)
    if name == "enrol_listen" and value:
        _check_address(value, place)
    if name == "broker" and value:
        _check_broker(value, place)
    if name == "database" and value:
        _check_database(value, place)
    return value


def _port(value: object, place: str) -> int:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError
        number = int(value)
    except ValueError:
        raise SettingsInvalid(f"{place} must be a port number, not {value!r}") from None
    if not 0 <= number < 65536:
        raise SettingsInvalid(f"{place} must be a port up to 65535, not {value!r}")
    return number


def _check_listen(value: str, place: str) -> None:
    if not is_loopback(_check_address(value, place)):
        raise NotLoopback(place, value)


def _check_address(value: str, place: str) -> str:
    try:
        return _parts(value)[0]
    except ValueError:
        raise SettingsInvalid(f"{place} must be address:port such as 127.0.0.1:8470, not {value!r}") from None


def _check_broker(value: str, place: str) -> None:
    try:
        url = broker_url.parse(value)
    except broker_url.BrokerUrlInvalid as error:
        raise SettingsInvalid(f"{place}: {error}") from None
    if not url.is_secure and not is_loopback(url.host):
        raise NotLoopback(place, str(url))


def _check_database(value: str, place: str) -> None:
    try:
        parts = urllib.parse.urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise SettingsInvalid(f"{place} must be like postgresql://127.0.0.1/archipel: {error}") from None
    if parts.scheme.partition("+")[0] not in DATABASES:
        raise SettingsInvalid(f"{place} must begin with postgresql://, not {value.partition(':')[0]!r}")
    hosts = [parts.hostname or "", *urllib.parse.parse_qs(parts.query).get("host", [])]
    for host in hosts:
        # No host, or a directory: a Unix socket of this machine.
        if host and not host.startswith("/") and not is_loopback(host):
            raise NotLoopback(place, host)


def _parts(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or not host:
        raise ValueError(listen)
    return host.strip("[]"), int(port)


def _numbers(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = int(first), int(last if dash else first)
        if not 0 <= low <= high < SHARDS:
            raise ValueError(text)
        found |= set(range(low, high + 1))
    return frozenset(found)
