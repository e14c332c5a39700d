"""What a medium says of its own wear and errors. Pure parsers and one reading through the Disk port; nothing decides here.

eMMC: JESD84-B51, `life_time` (two estimates in tenths, 0x0b: exceeded) and `pre_eol_info` (1 normal, 2: 80 % of the spare
blocks used, 3: 90 %). SD cards have no such thing. NVMe and SATA are asked by smartctl, if it is there.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archipel_agent.flash.device import kind_of, read_text, size_bytes
from archipel_agent.paths import Paths
from archipel_agent.ports import Files

WORN_TENTH = 0x0B
PRE_END, END = 2, 3
SATA_WEAR = ("Wear_Leveling_Count", "Media_Wearout_Indicator", "SSD_Life_Left", "Percent_Lifetime_Remain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """How a device stands. None means "it does not say"."""

    device: str
    kind: str = "unknown"
    name: str = ""  # maker's name of it, with its date where there is one
    size: int | None = None  # bytes
    used_percent: int | None = None  # of the life its maker gives it; 100 and more: past it
    spare: int | None = None  # eMMC's pre_eol_info
    failing: bool = False  # it says itself that it fails
    errors: int | None = None  # it counted


def of_device(disk: Files, paths: Paths, device: str) -> Wear:
    """Return what sysfs has of a device."""
    block = paths.at(f"sys/block/{device}")
    life, spare = (read_text(disk, block / f"device/{name}") for name in ("life_time", "pre_eol_info"))
    return Wear(
        device=device,
        kind=kind_of(disk, paths, device),
        name=_name(disk, block),
        size=size_bytes(disk, paths, device),
        used_percent=used_percent(life),
        spare=_number(spare) or None,
        errors=_number(read_text(disk, block / "device/ioerr_cnt")),
    )


def _name(disk: Files, block: Path) -> str:
    """Return its name, and of cards their maker's number and date of making."""
    name = read_text(disk, block / "device/name") or read_text(disk, block / "device/model")
    maker, of, date = (read_text(disk, block / f"device/{one}") for one in ("manfid", "oemid", "date"))
    parts = [name, f"maker {maker}/{of}" if maker else "", f"made {date}" if date else ""]
    return ", ".join(part for part in parts if part)


def used_percent(life: str) -> int | None:
    """Return how much of its life an eMMC has used by the worse of its two estimates, None where it does not say."""
    tenths = [number for word in life.split() if (number := _number(word))]
    worst = max(tenths, default=0)
    return min(worst, WORN_TENTH) * 10 if worst else None


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def with_smart(wear: Wear, text: str) -> Wear:
    """Return `wear` with what `smartctl --json --all` said; unchanged where it said nothing of use."""
    try:
        said = json.loads(text)
    except ValueError:
        return wear
    if not isinstance(said, dict):
        return wear
    health = _at(said, "nvme_smart_health_information_log")
    used = health.get("percentage_used")
    errors = health.get("media_errors")
    return Wear(
        device=wear.device,
        kind=wear.kind,
        name=str(said.get("model_name") or wear.name),
        size=wear.size,
        used_percent=used if isinstance(used, int) else _sata_used(said) or wear.used_percent,
        spare=wear.spare,
        failing=_at(said, "smart_status").get("passed") is False,
        errors=errors if isinstance(errors, int) else wear.errors,
    )


def _sata_used(said: dict[str, Any]) -> int | None:
    """Return 100 less the normalized value of the attribute by which makers tell the wear."""
    rows = _at(said, "ata_smart_attributes").get("table")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("name") in SATA_WEAR and isinstance(row.get("value"), int):
            return max(0, 100 - int(row["value"]))
    return None


def _at(said: dict[str, Any], key: str) -> dict[str, Any]:
    inner = said.get(key)
    return inner if isinstance(inner, dict) else {}
