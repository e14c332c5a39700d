"""Settings of the agent: default < file < environment < command line, each field with its meaning.

The file is `agent.toml` in the settings directory; environment names are `ARCHIPEL_` plus the field in capitals. An
unknown key or a wrong type is refused with its place: on a device a typing error must not silently become a default.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from archipel_contract.settings import SettingsInvalid, gathered, one_of, text

FILE = "agent.toml"
PREFIX = "ARCHIPEL_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Durations are seconds."""

    interval: float = 10.0
    """Seconds between two turns when nobody watches. Longer saves power, shorter notices sooner."""

    watched_interval: float = 2.0
    """Seconds between two turns while a client watches."""

    release_url: str = "https://github.com/k3s-io/k3s/releases"
    """Where k3s is downloaded from when no file is given; a mirror keeps upstream's layout."""

    k3s_version: str = ""
    """The k3s to download when `up` names none, such as v1.36.3+k3s1; empty refuses to choose one."""

    api_timeout: float = 900.0
    """Seconds until a starting k3s whose API does not answer counts as failed; k3s itself waits as long."""

    node_timeout: float = 600.0
    """Seconds from the API's answer until the node must be Ready."""

    pods_timeout: float = 300.0
    """Seconds from the node being Ready until the core pods must be."""

    fleet: str = ""
    """Where this machine enrols with its fleet, such as https://fleet.example:8471; empty: it waits for `archipel enrol`."""

    broker: str = ""
    """The MQTT broker through which the fleet is reached, such as mqtt://127.0.0.1:1883; empty: the site has no fleet."""

    proxy: str = ""
    """The HTTP proxy through which brokers are reached, such as http://proxy.example:3128; empty: directly."""

    link_mode: str = "always-on"
    """When there is a link: always-on, or dial-in, which speaks on schedule and is silent in between."""

    link_every: float = 3600.0
    """Seconds between two calls in link mode dial-in."""

    link_hold: str = "auto"
    """Whether the line of dial-in is kept between two calls: auto, in silence where the way lets it live; or never, which
    hangs up after each call.
    """

    metrics_every: float = 300.0
    """Seconds for which samples are averaged into one point that is sent to the fleet."""

    remote: str = "on"
    """Whether the fleet may order anything here: on, or off, which refuses every order and says so to the fleet."""

    remote_verbs: str = "logs, doctor, support, restart, kubectl, decommission"
    """What the fleet may order here, with commas between; what is left out is refused, and the fleet told so."""

    two_signatures: str = "on"
    """Whether an order that cannot be taken back (decommission) needs two signatures: on or off."""

    restart_window: str = "02:00-04:00"
    """Local time in which k3s may be restarted once a year to renew its certificates; pods run on. Empty: never by
    itself.
    """

    self_healing: str = "on"
    """Whether the agent may repair by itself what loses no data (a k3s that hangs, empty files, a full disk): on or off."""

    self_healing_per_hour: str = "3"
    """How many repairs the agent may begin by itself until all was well for an hour; then it stops and says so. 1 to 20."""

    link_patience: float = 3600.0
    """Seconds within which samples must be acknowledged on a link that always stands, so that one answer does for many of
    them; at most the time of twelve points. 0 wants an answer to each."""

    answers: str = "on"
    """Where answer files (archipel.toml) are looked for: on, or boot (never on removable media), or off (only by hand)."""

    answers_places: str = ""
    """Further directories where an answer file may lie, with commas between."""

    backup_to: str = ""
    """Where backups go by themselves: /media/usb/backups, sftp://user@host/directory, s3://bucket/place; empty: nowhere."""

    backup_every: float = 86400.0
    """Seconds between two backups that are made by themselves; one that was missed is made up once."""

    backup_keep: str = "7+8"
    """How many backups of the site stay at the target: the newest 7, and of the older ones each seventh, 8 of them."""

    backup_volumes: str = "on"
    """Whether persistent volumes go into a backup: on or off. Their files are copied while pods go on writing."""

    backup_recipients: str = ""
    """Public halves of recovery keys (age1...) with commas between, besides those in backup-recipients.txt."""

    write_budget_mb_per_day: str = "auto"
    """Megabytes a day that may be written to the device with the site's data before a finding says so. auto: what lets it
    last five years by its kind and size; 0: no bound.
    """

    ups: str = ""
    """The UPS that feeds this machine: name@host of a server of the Network UPS Tools (rack@127.0.0.1); empty: none."""

    ups_patience: float = 0.0
    """Seconds on battery after which the machine shuts down in order though the battery is not low yet; 0: only when low."""

    hardware_watchdog: str = "auto"
    """Whether the machine restarts by its own hardware when the system hangs: auto, where it has a watchdog; or off."""

    log_level: str = "INFO"
    """How much the agent writes to its log: DEBUG, INFO, WARNING or ERROR."""

    language: str = "en"
    """Language of sentences in the agent's own log: en or de. Clients choose their own."""


LEAST = {
    "interval": 1.0,
    "watched_interval": 0.5,
    "api_timeout": 1.0,
    "node_timeout": 1.0,
    "pods_timeout": 1.0,
    "link_patience": 0.0,
    "link_every": 10.0,  # a hello with its answers takes a few seconds over a slow line
    "metrics_every": 1.0,
    "backup_every": 300.0,
    "ups_patience": 0.0,
}
UPS_FORM = r"|[A-Za-z0-9_.-]{1,64}@(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]{1,253})(:\d{1,5})?"
REMOTE_VERBS = ("logs", "doctor", "support", "restart", "kubectl", "decommission")
FORMS = {
    "restart_window": (
        re.compile(r"|((?:[01]\d|2[0-3]):[0-5]\d)-(?!\1)(?:[01]\d|2[0-3]):[0-5]\d"),
        "empty or two times such as 02:00-04:00",
    ),
    "self_healing_per_hour": (re.compile(r"[1-9]|1\d|20"), 'a number from "1" to "20"'),
    "write_budget_mb_per_day": (re.compile(r"auto|\d{1,8}"), 'auto or a number such as "2000"'),
    "ups": (re.compile(UPS_FORM), "empty or name@host, such as rack@127.0.0.1"),
    "backup_keep": (re.compile(r"[1-9]\d{0,3}(\+\d{1,3})?"), "a number, or two such as 7+8"),
    "backup_to": (re.compile(r"|/.+|(sftp|s3)://.+"), "a directory, sftp://... or s3://..."),
    "backup_recipients": (
        re.compile(r"|\s*age1[a-z0-9]+(\s*,\s*age1[a-z0-9]+)*\s*"),
        "public halves of recovery keys, which begin with age1",
    ),
}
CHOICES = {
    "self_healing": ("on", "off"),
    "hardware_watchdog": ("auto", "off"),
    "remote": ("on", "off"),
    "two_signatures": ("on", "off"),
    "backup_volumes": ("on", "off"),
    "link_mode": ("always-on", "dial-in"),
    "answers": ("on", "boot", "off"),
    "link_hold": ("auto", "never"),
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "language": ("en", "de"),
}


def load(
    directory: Path,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings; `flags` with the value None count as not given. Raises SettingsInvalid."""
    names = [field.name for field in fields(Settings)]
    around = os.environ if environment is None else environment
    values = gathered(names, _checked, directory / FILE, around, PREFIX, flags)
    return Settings(**values)  # type: ignore[arg-type]  # each value was checked against its field just above


def is_usable(name: str, value: object) -> bool:
    """Whether the setting `name` takes `value`."""
    try:
        _checked(name, value, name)
    except SettingsInvalid:
        return False
    return True


def _checked(name: str, value: object, place: str) -> object:
    wanted = type(getattr(Settings(), name))
    if wanted is float:
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError
            number = float(value)
        except ValueError:
            raise SettingsInvalid(f"{place} must be a number of seconds, not {value!r}") from None
        if not LEAST[name] <= number < 1e9:
            raise SettingsInvalid(f"{place} must be at least {LEAST[name]:g} seconds, not {value!r}")
        return number
    value = text(value, place)
    if name in CHOICES:
        return one_of(CHOICES[name], value, place)
    if name == "remote_verbs":
        unknown = {word for one in value.split(",") if (word := one.strip())} - set(REMOTE_VERBS)
        if unknown:
            known = ", ".join(REMOTE_VERBS)
            raise SettingsInvalid(f"{place} has {min(unknown)!r}, which nobody can order; there are {known}")
    if name in FORMS and FORMS[name][0].fullmatch(value) is None:
        raise SettingsInvalid(f"{place} must be {FORMS[name][1]}, not {value!r}")
    return value
