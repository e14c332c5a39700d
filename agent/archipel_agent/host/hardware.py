"""What the hardware and the operating system say of themselves: model, release, temperature, throttling, uptime."""

import os
from pathlib import Path

from archipel_contract.facts import InitSystem, Throttling

# Bits of the Raspberry Pi firmware's get_throttled word (raspberrypi.com documentation of vcgencmd get_throttled).
UNDER_VOLTAGE, CAPPED, THROTTLED, UNDER_VOLTAGE_SEEN = 1 << 0, 1 << 1, 1 << 2, 1 << 16
READ_BYTES = 64 << 10
ZONES = "/sys/class/thermal"
GET_THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"


def text(path: str) -> str:
    """Return the content of a small file without surrounding blanks and zero bytes; empty if it cannot be read."""
    # Read a dozen times in every turn: plain descriptors take a third of what file objects and paths do.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        parts = [os.read(descriptor, READ_BYTES)]
        while parts[-1]:
            parts.append(os.read(descriptor, READ_BYTES))
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return b"".join(parts).decode(errors="replace").strip(" \t\r\n\0")


def os_release() -> dict[str, str]:
    """Return the fields of /etc/os-release (os-release(5)), quotes removed."""
    fields = {}
    for line in text("/etc/os-release").splitlines():
        name, separator, value = line.partition("=")
        if separator:
            fields[name.strip()] = value.strip().strip("\"'")
    return fields


def model() -> str:
    """Return the board's or the computer's model name; empty if it does not say."""
    return text("/proc/device-tree/model") or text("/sys/class/dmi/id/product_name")


def serial() -> str:
    """Return the board's serial number; empty if it has none (or only root may read it and we are not)."""
    return text("/proc/device-tree/serial-number") or text("/sys/class/dmi/id/product_serial")


def init_system() -> InitSystem:
    """Return what keeps services here; /run/systemd/system exists exactly where systemd runs (sd_booted(3))."""
    return InitSystem.SYSTEMD if Path("/run/systemd/system").is_dir() else InitSystem.NONE


def uptime() -> float | None:
    """Return the seconds since boot."""
    first = text("/proc/uptime").split(" ")[0]
    return float(first) if first else None


def temperature() -> float | None:
    """Return the hottest thermal zone in degrees Celsius; None where there is none."""
    readings = []
    for zone in _names(ZONES):
        raw = text(f"{ZONES}/{zone}/temp") if zone.startswith("thermal_zone") else ""
        if raw.lstrip("-").isdigit():
            readings.append(int(raw) / 1000)
    return max(readings, default=None)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def throttling() -> Throttling:
    """Return what a Raspberry Pi's firmware reports; all None on other machines."""
    raw = text(GET_THROTTLED)
    try:
        word = int(raw, 16)
    except ValueError:
        return Throttling()
    return Throttling(
        under_voltage=bool(word & UNDER_VOLTAGE),
        capped=bool(word & CAPPED),
        throttled=bool(word & THROTTLED),
        under_voltage_since_boot=bool(word & UNDER_VOLTAGE_SEEN),
    )
