"""What an answer file may say: every table and key with its kind, an example, its rule and what it becomes.

One table for the validation, the template and the reference; each key becomes an option of `up`, a setting of `agent.toml`
or something of its own (`course`). Rules of options repeat those of the job; a test compares them. Rules raise ValueError.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from archipel_agent import clocks
from archipel_agent.settings import REMOTE_VERBS, Settings, is_usable
from archipel_contract.names import checked_node_name
from archipel_contract.site import COMPONENTS, Hardening

FORMAT = 1
NAME_LENGTH = 80
INTERFACE_LENGTH = 15  # IFNAMSIZ of Linux, less the end of the text
WEST = timedelta(hours=14)  # a time without a zone is at most so much later than the same figures in UTC
SECRETS = ("password", "secret", "token", "credential")  # in the name of a setting

Value = str | bool | int | float | list[str]
Rule = Callable[[str], object]


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    TEXTS = "texts"
    SWITCH = "switch"
    NUMBER = "number"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key. `choices` and `rule` judge a text, or each of several."""

    key: str
    kind: Kind
    example: str  # as it is written in the file, without the key
    meaning: str
    rule: Rule | None = None
    choices: tuple[str, ...] = ()
    option: str = ""  # of `up`
    setting: str = ""  # of agent.toml
    is_secret: bool = False

    @property
    def table(self) -> str:
        """The table it stands in, empty for the top."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """What it is called in its table."""
        return self.key.rpartition(".")[2]

    @property
    def shown(self) -> str:
        """How it is written."""
        return f"{self.name} = {self.example}"


TABLES: Mapping[str, str] = {
    "site": "The site, as `archipel up` takes it. What is left out is found out or has its default.",
    "k3s": "Where k3s comes from. Paths are relative to this file.",
    "fleet": "The fleet this machine belongs to, and how it is reached.",
    "time": "For a machine without a battery-backed clock.",
    "remote": "What the fleet may order here.",
    "hardware": "What Archipel may change about the machine itself.",
    "backup": "Encrypted backups of the site.",
}


def _name(value: str) -> None:
    if not value or len(value) > NAME_LENGTH or not value.isprintable():
        raise ValueError(f"1 to {NAME_LENGTH} printable characters")


def _interface(value: str) -> None:
    if not 0 < len(value) <= INTERFACE_LENGTH or "/" in value or not value.isprintable() or " " in value:
        raise ValueError("the name of a network interface")


def _network(value: str) -> None:
    if not 12 <= ipaddress.IPv4Network(value).prefixlen <= 24:
        raise ValueError("between /12 and /24")


def _path(value: str) -> None:
    if not value or not value.isprintable():
        raise ValueError("a path")


def _link(value: str) -> None:
    from archipel_contract.trust.token import invitation  # noqa: PLC0415 - only for files that name a fleet

    invitation(value)


def _token(value: str) -> None:
    from archipel_contract.trust.token import token  # noqa: PLC0415 - only for files that name a fleet

    token(value)


def _proxy(value: str) -> None:
    from archipel_contract.link.proxy import parse  # noqa: PLC0415 - only for files that name a proxy

    parse(value)


def _server(value: str) -> None:
    if not value or not all(one.isalnum() or one in ".-:" for one in value):
        raise ValueError("the name or address of a time server")


def moment(value: object) -> datetime:
    """Return the earliest time in UTC that a date or time of a file can mean; raise ValueError."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - its zone is looked at next
    if not isinstance(value, datetime):
        raise ValueError("a date")
    at = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC) - WEST
    if not clocks.is_possible(at):
        raise ValueError("a time at which this version can run")
    return at


OWN: tuple[Field, ...] = (
    Field(key="site.start", kind=Kind.SWITCH, example="true", meaning="Set the site up and start it."),
    Field(
        key="site.name",
        kind=Kind.TEXT,
        example='"Hall 3"',
        meaning="The site's name, as people know it.",
        rule=_name,
        option="name",
    ),
    Field(
        key="site.node_name",
        kind=Kind.TEXT,
        example='"edge-07"',
        meaning="The machine's name in Kubernetes.",
        rule=checked_node_name,
        option="node_name",
    ),
    Field(
        key="site.node_ip",
        kind=Kind.TEXT,
        example='"192.168.4.27"',
        meaning="The machine's address.",
        rule=ipaddress.IPv4Address,
        option="node_ip",
    ),
    Field(
        key="site.interface",
        kind=Kind.TEXT,
        example='"eth0"',
        meaning="The network interface, where there are several.",
        rule=_interface,
        option="interface",
    ),
    Field(
        key="site.pod_network",
        kind=Kind.TEXT,
        example='"10.42.0.0/16"',
        meaning="The network of the pods, /12 to /24.",
        rule=_network,
        option="cluster_cidr",
    ),
    Field(
        key="site.service_network",
        kind=Kind.TEXT,
        example='"10.43.0.0/16"',
        meaning="The network of the services, /12 to /24.",
        rule=_network,
        option="service_cidr",
    ),
    Field(
        key="site.components",
        kind=Kind.TEXTS,
        example='["coredns", "local-storage", "metrics-server"]',
        meaning="The parts of k3s that run.",
        choices=COMPONENTS,
        option="components",
    ),
    Field(
        key="site.hardening",
        kind=Kind.TEXT,
        example='"standard"',
        meaning="How far it is hardened; strict refuses pods that common charts bring.",
        choices=tuple(Hardening),
        option="hardening",
    ),
    Field(
        key="site.language",
        kind=Kind.TEXT,
        example='"en"',
        meaning="The language of the result beside this file.",
        choices=("en", "de"),
        setting="language",
    ),
    Field(
        key="k3s.bundle",
        kind=Kind.TEXT,
        example='"site.archipel-bundle"',
        meaning="A bundle with all that is needed; needs no network.",
        rule=_path,
        option="bundle",
    ),
    Field(
        key="k3s.k3s",
        kind=Kind.TEXT,
        example='"k3s"',
        meaning="The k3s program, or a version such as v1.36.3+k3s1.",
        rule=_path,
        option="k3s",
    ),
    Field(
        key="k3s.images",
        kind=Kind.TEXTS,
        example='["k3s-airgap-images-arm64.tar.zst"]',
        meaning="Image archives, or directories of them.",
        rule=_path,
        option="images",
    ),
    Field(
        key="fleet.link",
        kind=Kind.TEXT,
        example='"https://fleet.example:8471"',
        meaning="Where to enrol; the whole link with its token, or the address alone.",
        rule=_link,
        is_secret=True,
    ),
    Field(
        key="fleet.token",
        kind=Kind.TEXT,
        example='"7k2m9qxf.00000000000000000000000000.00000000000000000000000000"',
        meaning="The token, where the link has none. It is blanked here once it is used.",
        rule=_token,
        is_secret=True,
    ),
    Field(
        key="fleet.proxy",
        kind=Kind.TEXT,
        example='"http://proxy.example:3128"',
        meaning="The HTTP proxy on the way out.",
        rule=_proxy,
        setting="proxy",
        is_secret=True,
    ),
    Field(
        key="fleet.link_mode",
        kind=Kind.TEXT,
        example='"always-on"',
        meaning="When there is a link: always, or by dialling in.",
        choices=("always-on", "dial-in"),
        setting="link_mode",
    ),
    Field(
        key="fleet.link_every_hours",
        kind=Kind.NUMBER,
        example="6",
        meaning="Hours between two calls, where it dials in.",
        setting="link_every",
    ),
    Field(
        key="time.not_before",
        kind=Kind.MOMENT,
        example="2026-11-22",
        meaning="It is certainly later than this.",
    ),
    Field(
        key="time.servers",
        kind=Kind.TEXTS,
        example='["192.168.4.1"]',
        meaning="Time servers (NTP).",
        rule=_server,
    ),
    Field(
        key="hardware.boot_line",
        kind=Kind.SWITCH,
        example="true",
        meaning="May complete the kernel's boot line where k3s needs it, and restart the machine once for it.",
    ),
    Field(
        key="remote.allowed",
        kind=Kind.SWITCH,
        example="true",
        meaning="Whether the fleet may order anything.",
        setting="remote",
    ),
    Field(
        key="remote.verbs",
        kind=Kind.TEXTS,
        example='["logs", "doctor", "support"]',
        meaning="What it may order.",
        choices=REMOTE_VERBS,
        setting="remote_verbs",
    ),
)

# key -> what it means; each exists only where this version has a setting of that name
PASSED_ON: Mapping[str, str] = {
    "hardware.watchdog": "The hardware watchdog resets a machine that hangs.",
}


def _passed_on() -> tuple[Field, ...]:
    """Return the keys that other parts of the agent define as settings: those of the hardware, and all `backup_*`."""
    known = {field.name for field in fields(Settings)}
    found = [
        _of_setting(key, name, meaning)
        for key, meaning in PASSED_ON.items()
        if (name := key.replace(".", "_")) in known
    ]
    found += [
        _of_setting(
            f"backup.{name.removeprefix('backup_')}", name, f"See `{name}` in the reference of settings."
        )
        for name in sorted(known)
        if name.startswith("backup_")
    ]
    return tuple(found)


def _of_setting(key: str, setting: str, meaning: str) -> Field:
    default = getattr(Settings(), setting)
    is_secret = any(word in setting for word in SECRETS)
    if default in ("on", "off"):
        example = "true" if default == "on" else "false"
        return Field(key=key, kind=Kind.SWITCH, example=example, meaning=meaning, setting=setting)
    kind = Kind.NUMBER if isinstance(default, float) else Kind.TEXT
    example = f"{default:g}" if isinstance(default, float) else f'"{default}"'
    return Field(key=key, kind=kind, example=example, meaning=meaning, setting=setting, is_secret=is_secret)


FIELDS: Mapping[str, Field] = {one.key: one for one in (*OWN, *_passed_on())}


def setting_value(field: Field, value: Value) -> str | float:
    """Return a value as its setting takes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, str):
        return value
    return float(value) * 3600.0 if field.name.endswith("_hours") else float(value)


def is_right(field: Field, value: object) -> bool:
    """Whether a value, of whatever type, is one this key takes."""
    if not _is_of_kind(field.kind, value):
        return False
    texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if field.choices and any(one not in field.choices for one in texts):
        return False
    try:
        if field.kind is Kind.MOMENT:
            moment(value)
        for one in texts if field.rule is not None and field.kind is not Kind.MOMENT else ():
            assert field.rule is not None  # the line above
            field.rule(one)
    except (ValueError, OverflowError):
        return False
    return not field.setting or is_usable(field.setting, setting_value(field, _plain(value)))


def _plain(value: object) -> Value:
    assert isinstance(value, str | bool | int | float | list)  # its kind was looked at
    return value


def _is_of_kind(kind: Kind, value: object) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.TEXTS:
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        case Kind.SWITCH:
            return isinstance(value, bool)
        case Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.MOMENT:
            return isinstance(value, str | date)
