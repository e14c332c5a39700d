"""What the hardware and the operating system say of themselves: model, release, temperature, throttling, uptime."""

import functools
import os
from pathlib import Path

from archipel_contract.facts import InitSystem, Throttling

# Where it is: the Pi 5's device tree names the bus with its address. Kernels without that file have the voltage's driver.
# Bits of the Raspberry Pi firmware's get_throttled word (raspberrypi.com documentation of vcgencmd get_throttled).
UNDER_VOLTAGE, CAPPED, THROTTLED = 1 << 0, 1 << 1, 1 << 2
UNDER_VOLTAGE_SEEN, CAPPED_SEEN, THROTTLED_SEEN = 1 << 16, 1 << 17, 1 << 18
READ_BYTES = 64 << 10
ZONES = "/sys/class/thermal"
PLATFORM = "/sys/devices/platform"
HWMON = "/sys/class/hwmon"
BATTERY_CLOCK = "/sys/class/rtc/rtc0"
CLOCKS_APART_SECONDS = 86400  # some keep local time


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


def battery_clock(now: float, place: str = BATTERY_CLOCK) -> bool | None:
    """Whether there is a clock that goes on without power; `now` is what the system's says, in seconds since 1970.

    One that says something else altogether does not count: its battery is empty, and it begins in 1970 at each start, while
    the system's was put right since, by a person, a time server, or systemd from when it was switched off.
    """
    if not os.path.isdir("/sys/class"):
        return None
    if not os.path.exists(place):
        return False
    said = text(f"{place}/since_epoch")
    return not said.isdecimal() or abs(int(said) - now) < CLOCKS_APART_SECONDS


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
    word_at, alarm_at = throttling_files()
    try:
        return throttling_of(int(text(word_at) if word_at else "", 16))
    except ValueError:
        alarm = text(alarm_at) if alarm_at else ""
        return Throttling(under_voltage=alarm == "1") if alarm in ("0", "1") else Throttling()


@functools.cache
def throttling_files(platform: str = PLATFORM, hwmon: str = HWMON) -> tuple[str, str]:
    """Return where the firmware's word and the alarm of the voltage driver are to be read; looked for once."""
    words = (f"{platform}/{bus}/{bus}:firmware/get_throttled" for bus in _names(platform) if bus[:3] == "soc")
    alarms = (f"{hwmon}/{one}" for one in _names(hwmon) if text(f"{hwmon}/{one}/name") == "rpi_volt")
    word = next((path for path in words if os.path.exists(path)), "")
    return word, next((f"{path}/in0_lcrit_alarm" for path in alarms), "")


def throttling_of(word: int) -> Throttling:
    """Return what the firmware's word says, bit by bit."""
    return Throttling(
        under_voltage=bool(word & UNDER_VOLTAGE),
        capped=bool(word & CAPPED),
        throttled=bool(word & THROTTLED),
        under_voltage_since_boot=bool(word & UNDER_VOLTAGE_SEEN),
        throttled_since_boot=bool(word & (CAPPED_SEEN | THROTTLED_SEEN)),
    )
