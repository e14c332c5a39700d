"""A scenario of a whole fleet: how many sites, what is special about some, and what happens when. Read from a TOML file.

    title = "A morning with trouble"
    sites = 10
    nodes = 3

    [[site]]                       # this site is special from the start
    site = 3                       # its number or its name
    mode = "dial-in"               # connects only now and then
    every = 3600                   # seconds between two calls

    [[event]]                      # this happens while the rehearsal runs
    at = 30                        # seconds after every site is up
    for = 120                      # seconds until it is healed; without it, it stays
    what = "cut"                   # a trouble: see `archipel rehearse --troubles`
    where = ["rehearsed-004"]      # sites, nodes, or "all"

    [[chance]]                     # this happens by chance, decided by the seed
    what = "power-cut"
    per_day = 2.0                  # how often on each site
    seconds = 300                  # how long on average

The file is strict: an unknown key or a wrong type is refused with its line and column.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from archipel_agent.rehearsal.fleet import acts
from archipel_agent.rehearsal.fleet.plan import NAME, NODES_LIMIT, SITES_LIMIT
from archipel_agent.rehearsal.scenario import ScenarioInvalid
from archipel_contract.status import LinkMode

MODES = (LinkMode.ALWAYS_ON.value, LinkMode.DIAL_IN.value)
LONGEST_SECONDS = 366 * 86400.0
_HEADER = re.compile(r"\s*\[\[?\s*([\w-]+)\s*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """What one site is from the start."""

    site: str
    mode: str = LinkMode.ALWAYS_ON.value
    every: float = 3600.0  # seconds between two calls of a dial-in site
    silent: bool = False  # never connects
    clock: str = ""  # how its machines' clocks are wrong
    faults: tuple[str, ...] = ()  # on each of its machines
    k3s: str = ""  # version


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens at its time."""

    at: float
    what: str
    where: tuple[str, ...]
    seconds: float | None = None  # until it is healed
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Something that happens to each site by chance."""

    what: str
    per_day: float
    seconds: float
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetScenario:
    """The whole file; numbers that are 0 are left to the command line."""

    title: str = ""
    sites: int = 0
    nodes: int = 0
    seed: int | None = None
    pace: float = 1.0  # below 1, k3s starts faster than the recorded one did
    special: tuple[Special, ...] = ()
    events: tuple[Event, ...] = ()
    chances: tuple[Chance, ...] = ()


def load(path: Path) -> FleetScenario:
    """Return the scenario in a file; raise ScenarioInvalid with file, line and column, OSError."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ScenarioInvalid(f"{path} is not UTF-8 text (byte {error.start})") from error
    except ScenarioInvalid as error:
        raise ScenarioInvalid(f"{path}: {error}") from error


def parse(text: str) -> FleetScenario:
    """Return the scenario a TOML text describes; raise ScenarioInvalid."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(str(error)) from error
    return _Reader(text).scenario(raw)


class _Reader:
    """Checks one file, and knows where in it everything stands."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def scenario(self, raw: dict[str, Any]) -> FleetScenario:
        tables = {name: self._tables(raw, name) for name in ("site", "event", "chance")}
        self._only(raw, ("title", "sites", "nodes", "seed", "pace", *tables), ("", 0))
        return FleetScenario(
            title=self._text(raw, "title", ("", 0)),
            sites=int(self._number(raw, "sites", ("", 0), 0, SITES_LIMIT, whole=True)),
            nodes=int(self._number(raw, "nodes", ("", 0), 0, NODES_LIMIT, whole=True)),
            seed=int(self._number(raw, "seed", ("", 0), 0, 1 << 63, whole=True)) if "seed" in raw else None,
            pace=self._number(raw, "pace", ("", 0), 0.001, 100.0, default=1.0),
            special=tuple(self._special(one, ("site", n)) for n, one in enumerate(tables["site"])),
            events=tuple(self._event(one, ("event", n)) for n, one in enumerate(tables["event"])),
            chances=tuple(self._chance(one, ("chance", n)) for n, one in enumerate(tables["chance"])),
        )

    def _special(self, raw: dict[str, Any], table: tuple[str, int]) -> Special:
        self._only(raw, [one.name for one in fields(Special)], table)
        named = raw.get("site")
        if isinstance(named, int) and not isinstance(named, bool):
            named = NAME.format(number=named)
        if not isinstance(named, str):
            raise self._wrong("site must be the number or the name of a site", table, "site")
        mode = self._text(raw, "mode", table) or MODES[0]
        if mode not in MODES:
            raise self._wrong(f"mode must be one of {', '.join(MODES)}, not {mode!r}", table, "mode")
        clock = self._text(raw, "clock", table)
        faults = self._names(raw, "faults", table)
        for name, key in [(acts.CLOCK, "clock")] * bool(clock) + [(one, "faults") for one in faults]:
            self._checked(acts.Act(what=name, where=(named,), to=clock if key == "clock" else ""), table, key)
        silent = raw.get("silent", False)
        if not isinstance(silent, bool):
            raise self._wrong("silent must be true or false", table, "silent")
        every = self._number(raw, "every", table, 1.0, LONGEST_SECONDS, default=3600.0)
        k3s = self._text(raw, "k3s", table)
        return Special(site=named, mode=mode, every=every, silent=silent, clock=clock, faults=faults, k3s=k3s)

    def _event(self, raw: dict[str, Any], table: tuple[str, int]) -> Event:
        self._only(raw, ("at", "for", "what", "where", "to"), table)
        what, to, where = (
            self._text(raw, "what", table),
            self._text(raw, "to", table),
            self._names(raw, "where", table),
        )
        self._checked(acts.Act(what=what, where=where, to=to), table, "what")
        seconds = self._number(raw, "for", table, 0.1, LONGEST_SECONDS) if "for" in raw else None
        at = self._number(raw, "at", table, 0.0, LONGEST_SECONDS)
        return Event(at=at, what=what, where=where, seconds=seconds, to=to)

    def _chance(self, raw: dict[str, Any], table: tuple[str, int]) -> Chance:
        self._only(raw, ("what", "per_day", "seconds", "to"), table)
        what, to = self._text(raw, "what", table), self._text(raw, "to", table)
        self._checked(acts.Act(what=what, where=(acts.EVERYWHERE,), to=to), table, "what")
        per_day = self._number(raw, "per_day", table, 0.0, 86400.0)
        seconds = self._number(raw, "seconds", table, 0.1, LONGEST_SECONDS, default=300.0)
        return Chance(what=what, per_day=per_day, seconds=seconds, to=to)

    def _tables(self, raw: dict[str, Any], name: str) -> list[dict[str, Any]]:
        found = raw.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._wrong(f"{name} must be written as [[{name}]]", ("", 0), name)
        return found

    def _only(self, raw: Mapping[str, Any], known: Any, table: tuple[str, int]) -> None:
        for key in raw:
            if key not in known:
                raise self._wrong(f"unknown key {key!r}; known are {', '.join(sorted(known))}", table, key)

    def _text(self, raw: Mapping[str, Any], key: str, table: tuple[str, int]) -> str:
        value = raw.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(f"{key} must be text in quotes, not {value!r}", table, key)
        return value

    def _names(self, raw: Mapping[str, Any], key: str, table: tuple[str, int]) -> tuple[str, ...]:
        value = raw.get(key, [])
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise self._wrong(f"{key} must be a name or a list of names, not {value!r}", table, key)
        return tuple(names)

    def _number(
        self,
        raw: Mapping[str, Any],
        key: str,
        table: tuple[str, int],
        least: float,
        most: float,
        *,
        default: float | None = None,
        whole: bool = False,
    ) -> float:
        value = raw.get(key, least if default is None and whole else default)
        kind = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
            shown = "missing" if value is None else repr(value)
            raise self._wrong(f"{key} must be a number from {least:g} to {most:g}, not {shown}", table, key)
        return value

    def _checked(self, act: acts.Act, table: tuple[str, int], key: str) -> None:
        try:
            acts.checked(act)
        except acts.ActInvalid as error:
            raise self._wrong(str(error), table, key) from error

    def _wrong(self, message: str, table: tuple[str, int], key: str) -> ScenarioInvalid:
        """Return the error with the place of `key`, or of its table where the key is missing."""
        line, column = self._place(table, key)
        return ScenarioInvalid(f"{message} (at line {line}, column {column})")

    def _place(self, table: tuple[str, int], key: str) -> tuple[int, int]:
        header, number = table
        line, seen, inside = 1, -1, not header
        for at, text in enumerate(self._lines, start=1):
            opened = _HEADER.match(text)
            if opened:
                seen += opened[1] == header
                inside = bool(header) and opened[1] == header and seen == number
                line = at if inside or (not header and opened[1] == key) else line
            found = re.match(rf"\s*(?:\[+\s*)?(\"?{re.escape(key)}\"?)\s*[=.]", text)
            if inside and found:
                return at, found.start(1) + 1
        return line, 1
