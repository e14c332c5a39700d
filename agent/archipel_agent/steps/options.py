"""The options of a job, checked: every key known, every value of its type, names and networks valid.

They arrive as JSON from a client of the local API and are kept with the job, so that a job cut off by a power failure
goes on with the same ones.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archipel_agent.checks.base import Wishes
from archipel_contract.jobs import Verb
from archipel_contract.names import NameInvalid, checked_node_name
from archipel_contract.site import COMPONENTS, Hardening

REMOVALS = ("agent-only", "keep-data", "everything")
FIREWALLS = ("on", "keep", "off")
FREEABLE = ("images", "programs", "journal", "logs", "bundles", "kept")  # kinds of repair_disk
DISPLAY_NAME_LENGTH = 80


class OptionInvalid(ValueError):
    """An option is unknown or its value cannot be used; the message names it and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All options of all verbs; empty means "not said"."""

    name: str = ""
    node_name: str = ""
    node_ip: str = ""
    interface: str = ""
    cluster_cidr: str = ""
    service_cidr: str = ""
    k3s: str = ""  # a file, or a version such as v1.36.3+k3s1
    images: tuple[str, ...] = ()
    bundle: str = ""  # of `up` and `import`: a file, or a directory of them
    allow_older: bool = False  # take a bundle although a newer one was here
    components: tuple[str, ...] | None = None
    hardening: str = ""  # of `up`: standard or strict
    what: str = ""  # of `remove` and `firewall`
    code: str = ""  # of `fix`
    undo: bool = False  # of `fix`: take the repair back
    free: tuple[str, ...] = ()  # of `fix` for a full disk: which kinds may go; empty: all of them
    directory: str = ""  # of `support`
    to: str = ""  # of `backup`: a target other than that of the settings
    source: str = ""  # of `drill` and `restore`: a sealed file, or a target
    site: str = ""  # of `drill` and `restore`: whose backup, where a target has several sites'
    key_file: str = ""  # of `drill` and `restore`: where the secret recovery key is
    aside: bool = False  # of `restore`: move a site that lives here aside
    drop_settings: bool = False  # of `restore`: go without what of an adopted k3s' settings cannot go along

    @property
    def wishes(self) -> Wishes:
        """The part that checks look at."""
        return Wishes(
            node_name=self.node_name,
            node_ip=self.node_ip,
            interface=self.interface,
            cluster_cidr=self.cluster_cidr,
            service_cidr=self.service_cidr,
        )


OF_VERB: Mapping[Verb, frozenset[str]] = {
    Verb.UP: frozenset(
        [
            "name",
            "node_name",
            "node_ip",
            "interface",
            "cluster_cidr",
            "service_cidr",
            "k3s",
            "images",
            "components",
            "hardening",
            "bundle",
            "allow_older",
        ]
    ),
    Verb.DOWN: frozenset(),
    Verb.REMOVE: frozenset({"what"}),
    Verb.FIX: frozenset({"code", "undo", "node_ip", "interface", "free"}),
    Verb.SUPPORT: frozenset({"directory"}),
    Verb.FIREWALL: frozenset({"what"}),
    Verb.RESTART: frozenset(),
    Verb.ADOPT: frozenset({"name"}),
    Verb.LEAVE: frozenset(),
    Verb.BACKUP: frozenset({"to"}),
    Verb.DRILL: frozenset({"source", "site", "key_file"}),
    Verb.RESTORE: frozenset(
        [
            "source",
            "site",
            "key_file",
            "aside",
            "drop_settings",
            "node_ip",
            "interface",
            "k3s",
            "images",
            "bundle",
            "allow_older",
        ]
    ),
    Verb.IMPORT: frozenset({"bundle", "allow_older"}),
}


def parse(verb: Verb, raw: Mapping[str, object]) -> Options:
    """Return the options of a request; raise OptionInvalid."""
    values: dict[str, object] = {}
    for key, value in raw.items():
        if key not in OF_VERB[verb]:
            raise OptionInvalid(
                f"{verb} takes no option {key!r}; it takes {', '.join(sorted(OF_VERB[verb])) or 'none'}"
            )
        values[key] = KINDS.get(key, _text)(key, value)
    if verb is Verb.REMOVE and values.get("what") not in REMOVALS:
        raise OptionInvalid(f"say what to remove: {', '.join(REMOVALS)}")
    if verb is Verb.IMPORT and not values.get("bundle"):
        raise OptionInvalid("say which bundle to import")
    if verb is Verb.FIREWALL and values.get("what") not in FIREWALLS:
        raise OptionInvalid(f"say what to do with the firewall: {', '.join(FIREWALLS)}")
    if verb in (Verb.DRILL, Verb.RESTORE) and not values.get("key_file"):
        raise OptionInvalid("say which file holds the recovery key")
    if verb is Verb.FIX and not values.get("code"):
        raise OptionInvalid("say which finding to fix")
    return Options(**values)  # type: ignore[arg-type]  # each value was checked against its field just above


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise OptionInvalid(f"{key} must be text, not {value!r}")
    if value and key in RULES:
        try:
            RULES[key](value)
        except ValueError as error:
            raise OptionInvalid(f"{key}: {error}") from error
    return value


def _list(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise OptionInvalid(f"{key} must be a list of texts, not {value!r}")
    known = {"components": COMPONENTS, "free": FREEABLE}.get(key)
    unknown = [item for item in value if known is not None and item not in known]
    if known is not None and unknown:
        raise OptionInvalid(f"{key}: there is no {unknown[0]!r}; there are {', '.join(known)}")
    return tuple(value)


def _yes(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise OptionInvalid(f"{key} must be true or false, not {value!r}")
    return value


def _node_name(value: str) -> None:
    try:
        checked_node_name(value)
    except NameInvalid as error:
        raise ValueError(str(error)) from error


def _network(value: str) -> None:
    network = ipaddress.IPv4Network(value)
    if not 12 <= network.prefixlen <= 24:
        raise ValueError(f"{value} must be between /12 and /24")


def _display_name(value: str) -> None:
    if len(value) > DISPLAY_NAME_LENGTH or not value.isprintable():
        raise ValueError(f"use at most {DISPLAY_NAME_LENGTH} printable characters")


RULES: Mapping[str, Callable[[str], object]] = {
    "name": _display_name,
    "node_name": _node_name,
    "hardening": Hardening,
    "node_ip": ipaddress.IPv4Address,
    "cluster_cidr": _network,
    "service_cidr": _network,
}

# How a value that is not a plain text is read.
KINDS: Mapping[str, Callable[[str, object], object]] = {
    "aside": _yes,
    "drop_settings": _yes,
    "images": _list,
    "components": _list,
    "free": _list,
    "undo": _yes,
    "allow_older": _yes,
}
