"""What a board and its kernel say that only the doctor asks for: the boot loader's age, swap, notes about voltage, whether
the running kernel's modules are there, and copies of firewall rules.

Read by `observe.gather`, never by the idle turn. Through the Disk and Runner ports; nothing here decides.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archipel_agent.ports import CommandFailed, Disk, Runner

# Raspberry Pi's boot loader puts its build time there, 4 bytes, the highest first, as seconds since 1970.
BUILT = Path("/proc/device-tree/chosen/bootloader/build-timestamp")
SWAPS = Path("/proc/swaps")
MODULES = Path("/lib/modules")
# drivers/hwmon/raspberrypi-hwmon.c; the second wording is that of kernels before 4.20.
VOLTAGE_NOTE = "Undervoltage detected|Under-voltage detected"
NOTES_SHOWN = 3
CARD = re.compile(r"/mmcblk\d")


@dataclass(frozen=True, slots=True)
class Swap:
    """One line of /proc/swaps."""

    name: str  # a file or a device
    on_card: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What was found. None means "could not be read, or not asked for"."""

    bootloader_built: datetime | None = None
    swaps: tuple[Swap, ...] | None = None
    voltage_notes: tuple[str, ...] | None = None  # lines of the kernel's log since the start, newest last
    has_modules_of_kernel: bool | None = None  # False where /lib/modules holds those of other kernels only
    rule_copies: int | None = None  # how often the most frequent rule of the filter table stands there


def board(
    disk: Disk, runner: Runner, *, is_pi: bool, kernel: str, root_is_card: bool, count_rules: bool
) -> Board:
    """Read all of it; what costs a process is done only where it can matter."""
    return Board(
        bootloader_built=bootloader_built(disk),
        swaps=swaps(disk, root_is_card),
        voltage_notes=_voltage_notes(runner) if is_pi else None,
        has_modules_of_kernel=_has_modules(disk, kernel),
        rule_copies=rule_copies(runner) if count_rules else None,
    )


def _has_modules(disk: Disk, kernel: str) -> bool | None:
    """Whether the running kernel's modules are there; None where no kernel's are, as in a container."""
    there = disk.names(MODULES)
    return kernel in there if kernel and there else None


def bootloader_built(disk: Disk) -> datetime | None:
    """Return when a Raspberry Pi's boot loader was built; None for boards without one."""
    try:
        raw = disk.read(BUILT)
    except OSError:
        return None
    seconds = int.from_bytes(raw[:4], "big")
    return datetime.fromtimestamp(seconds, UTC) if len(raw) >= 4 and seconds else None


def swaps(disk: Disk, root_is_card: bool) -> tuple[Swap, ...] | None:
    """Return where memory is swapped to; a file is taken to lie where the system does."""
    try:
        lines = disk.read(SWAPS).decode(errors="replace").splitlines()
    except OSError:
        return None
    found = []
    for line in lines[1:]:
        name, kind, *_ = [*line.split(), "", ""]
        if name:
            on_card = root_is_card if kind == "file" else bool(CARD.search(name))
            found.append(Swap(name, on_card))
    return tuple(found)


def _voltage_notes(runner: Runner) -> tuple[str, ...] | None:
    argv = ["journalctl", "-k", "-b", "-o", "short-iso", "--no-pager", "-q", "-n", str(NOTES_SHOWN)]
    try:
        return tuple(runner.run([*argv, f"--grep={VOLTAGE_NOTE}"], timeout=5.0).stdout.splitlines())
    except CommandFailed as error:
        return () if error.code == 1 and not error.stderr.strip() else None  # 1: nothing matched


def rule_copies(runner: Runner) -> int | None:
    """Return how often the most frequent rule is there; None where that cannot be told."""
    try:
        text = runner.run(["iptables-save", "-t", "filter"], timeout=5.0).stdout
    except CommandFailed:
        return None
    counted = Counter(line for line in text.splitlines() if line.startswith("-A "))
    return max(counted.values(), default=0)
