"""Where figures come from that only some machines tell: power sensors, the journal's account of a start, time servers."""

import re
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Files, Ports, Runner

# A line of `journalctl -o short-monotonic` begins with the kernel's clock.
MONOTONIC = re.compile(r"^\[\s*(\d+\.\d+)\]")
READY = re.compile(
    r"fast node status update .*became ready|just became ready|Node .* event: NodeReady", re.IGNORECASE
)
# `vcgencmd pmic_read_adc` of a Raspberry Pi 5: ` 3V7_WL_SW_A current(0)=0.08A` and `... volt(8)=3.70V`.
PMIC = re.compile(r"^\s*(\w+?)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]", re.MULTILINE)
OFFSET = re.compile(r"Offset: ([+-]?)([\d.]+)\s*(us|ms|s|min)\b")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}


def ready_after(runner: Runner) -> tuple[float | None, str]:
    """Return the seconds from the kernel's start to the node being ready, or None and why that is not known."""
    argv = ["journalctl", "-b", "-u", "k3s.service", "-o", "short-monotonic", "--no-pager", "-q"]
    try:
        lines = runner.run(argv, timeout=30.0).stdout.splitlines()
    except CommandFailed as error:
        return None, f"the journal could not be read: {error}"
    for line in lines:
        stamp = MONOTONIC.match(line)
        if stamp and READY.search(line):
            return float(stamp[1]), ""
    return None, "the journal of this start does not tell when the node became ready"


def power(ports: Ports, paths: Paths, seconds: float) -> tuple[float, str] | None:
    """Return watts and how they were read; None where nothing here tells."""
    pmic = _pmic(ports.runner)
    if pmic is not None:
        return (
            pmic,
            "the sum over the rails of the power chip (vcgencmd pmic_read_adc), without what USB devices take",
        )
    sensors = _sensors(ports.disk, paths)
    if sensors is not None:
        return sensors
    return _rapl(ports, paths, seconds)


def _pmic(runner: Runner) -> float | None:
    place = runner.find("vcgencmd")
    if place is None:
        return None
    try:
        text = runner.run([place, "pmic_read_adc"], timeout=5.0).stdout
    except CommandFailed:
        return None
    rails: dict[str, dict[str, float]] = {}
    for rail, kind, value in PMIC.findall(text):
        rails.setdefault(rail, {})[kind] = float(value)
    both = [one["A"] * one["V"] for one in rails.values() if len(one) == 2]
    return sum(both) if both else None


def _sensors(disk: Files, paths: Paths) -> tuple[float, str] | None:
    """Sensors of hwmon that tell power, in microwatts; an INA219 or INA226 at the supply is one of them."""
    base = paths.at("sys/class/hwmon")
    for chip in disk.names(base):
        for name in ("power1_input", "power1_average"):
            value = _number(disk, base / chip / name)
            if value is not None:
                called = (_text(disk, base / chip / "name") or chip).strip()
                return value / 1e6, f"the sensor {called} ({chip}/{name})"
    return None


def _rapl(ports: Ports, paths: Paths, seconds: float) -> tuple[float, str] | None:
    """The processor's own counter of energy, in microjoules; it wraps, and is then not used."""
    counter = paths.at("sys/class/powercap/intel-rapl:0/energy_uj")
    before, begun = _number(ports.disk, counter), ports.clock.monotonic()
    if before is None:
        return None
    ports.clock.wait(seconds)
    after, took = _number(ports.disk, counter), ports.clock.monotonic() - begun
    if after is None or after < before or took <= 0:
        return None
    return (
        after - before
    ) / 1e6 / took, "the processor's energy counter (RAPL): the package only, not the machine"


def clock_offset(runner: Runner) -> tuple[float, str] | None:
    """Return by how many seconds the clock differs from its time server's, without sign; None where none was heard."""
    chrony = runner.find("chronyc")
    if chrony is not None:
        try:
            fields = runner.run([chrony, "-c", "tracking"], timeout=5.0).stdout.strip().split(",")
            if len(fields) > 4 and fields[2] not in ("", "0"):  # stratum 0: not synchronised
                return abs(float(fields[4])), "the system's offset that chronyc tells"
        except (CommandFailed, ValueError):
            pass
    try:
        text = runner.run(["timedatectl", "timesync-status"], timeout=5.0).stdout
    except CommandFailed:
        return None
    found = OFFSET.search(text)
    return (float(found[2]) * UNITS[found[3]], "the offset that timedatectl tells") if found else None


def _number(disk: Files, path: Path) -> float | None:
    try:
        return float(_text(disk, path) or "")
    except ValueError:
        return None


def _text(disk: Files, path: Path) -> str | None:
    try:
        return disk.read(path).decode(errors="replace")
    except OSError:
        return None
