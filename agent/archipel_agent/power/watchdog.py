"""Reads the hardware watchdog: whether there is one, and whether it counts. Used by `observe.gather` and the step `host`."""

from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Files
from archipel_agent.power.seen import WatchdogSeen

OURS = "etc/systemd/system.conf.d/90-archipel-watchdog.conf"


def is_present(disk: Files, paths: Paths) -> bool:
    """Whether this machine has one."""
    return disk.exists(paths.at("dev/watchdog0")) or disk.exists(paths.at("sys/class/watchdog/watchdog0"))


def watchdog(disk: Files, paths: Paths) -> WatchdogSeen:
    """Return how it stands."""
    place = paths.at("sys/class/watchdog/watchdog0")
    timeout = _text(disk, place / "timeout")
    return WatchdogSeen(
        present=is_present(disk, paths),
        asked_for="RuntimeWatchdogSec=" in _text(disk, paths.at(OURS)),
        state=_text(disk, place / "state"),
        timeout=int(timeout) if timeout.isdigit() else None,
    )


def _text(disk: Files, path: Path) -> str:
    try:
        return disk.read(path).decode(errors="replace").strip()
    except OSError:
        return ""
