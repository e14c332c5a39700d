"""A scenario: which machine, how fast, and which troubles are there from the start. Read from a small TOML file.

Example:

    title = "A Pi whose port 6443 is taken"
    pace = 1.0
    faults = ["port-taken"]
    [machine]
    model = "Raspberry Pi 4 Model B Rev 1.5"
"""

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from archipel_contract.facts import Cgroups, InitSystem, Nic, NodeFacts, Route

BOARD_MEMORY = 4 << 30


class ScenarioInvalid(ValueError):
    """A scenario cannot be used; the message names the key and what would be right."""


def raspberry_pi() -> NodeFacts:
    """Return a Raspberry Pi 4 with 4 GB on its cable, as Raspberry Pi OS (Debian 12) shows it."""
    return NodeFacts(
        hostname="raspberrypi",
        architecture="aarch64",
        kernel="6.12.47+rpt-rpi-v8",
        os_id="debian",
        os_name="Debian GNU/Linux 12 (bookworm)",
        model="Raspberry Pi 4 Model B Rev 1.5",
        serial="10000000c0ffee00",
        init=InitSystem.SYSTEMD,
        cpus=4,
        memory_bytes=BOARD_MEMORY,
        swap_bytes=0,
        has_rtc=False,
        cgroups=Cgroups(version=2, controllers=("cpuset", "cpu", "io", "memory", "pids")),
        nics=(
            Nic(
                name="eth0",
                mac="dc:a6:32:00:00:01",
                up=True,
                carrier=True,
                speed_mbit=1000,
                addresses=("192.168.4.27/24",),
            ),
            Nic(name="wlan0", mac="dc:a6:32:00:00:02", up=False, carrier=False),
        ),
        routes=(
            Route(destination="0.0.0.0/0", interface="eth0", gateway="192.168.4.1"),
            Route(destination="192.168.4.0/24", interface="eth0"),
        ),
        raspberry_pi=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a rehearsal starts from. Below 1, `pace` lets k3s start faster than the recorded one did."""

    title: str = "A Raspberry Pi 4 on its cable"
    pace: float = 1.0
    faults: tuple[str, ...] = ()
    k3s_on_path: bool = True
    release_page: bool = True  # whether downloads work
    facts: NodeFacts = field(default_factory=raspberry_pi)


def load(path: Path) -> Scenario:
    """Return the scenario in a file; raise ScenarioInvalid, OSError."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioInvalid(f"{path}: {error}") from error


def parse(text: str) -> Scenario:
    """Return the scenario a TOML text describes; raise ScenarioInvalid."""
    raw = tomllib.loads(text)
    machine = raw.pop("machine", {})
    known = {one.name for one in fields(Scenario)} - {"facts"}
    plain = {one.name for one in fields(NodeFacts)} - {"cgroups", "nics", "routes", "disks", "init"}
    _only(raw, known, "")
    _only(machine, plain, "machine.")
    if not isinstance(raw.get("pace", 1.0), int | float) or raw.get("pace", 1.0) <= 0:
        raise ScenarioInvalid("pace must be a number above 0")
    if "faults" in raw:
        raw["faults"] = tuple(raw["faults"])
    return Scenario(**raw, facts=replace(raspberry_pi(), **machine))


def _only(given: dict[str, object], known: set[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise ScenarioInvalid(f"unknown key {where}{key}; known are {', '.join(sorted(known))}")
