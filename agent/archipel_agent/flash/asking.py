"""What costs processes or many files: the kernel's log about a device, who writes most, and smartctl.

Used by `flash.watch`, for the doctor and once an hour at most. Through the Runner and Disk ports.
"""

import re

from archipel_agent.flash.device import Mounted, mounted, read_text
from archipel_agent.host import smart
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Files, Runner

LINES_SHOWN = 3
WRITERS_SHOWN = 4
MB = 1_000_000
LEAST_WRITTEN = 10 * MB
WRITTEN = re.compile(r"^write_bytes: (\d+)$", re.MULTILINE)
JOURNALLED = frozenset(("ext3", "ext4", "f2fs", "btrfs", "xfs"))  # a squashfs is read-only by nature


def kernel_errors(runner: Runner, devices: tuple[str, ...]) -> tuple[str, ...]:
    """Return the newest lines of the kernel's log since the start in which a device reports an error."""
    if not devices:
        return ()
    names = "|".join(map(re.escape, devices))
    hosts = "|".join(f"mmc{one[6:]}: (error|timeout)" for one in devices if one.startswith("mmcblk"))
    wanted = f"I/O error, dev ({names})|(EXT4-fs|BTRFS|XFS|F2FS-fs) .*({names}).*(error|Remounting)"
    argv = ["journalctl", "-k", "-b", "-o", "short-iso", "--no-pager", "-q", "-n", str(LINES_SHOWN)]
    try:
        found = runner.run([*argv, f"--grep={wanted}|{hosts}" if hosts else f"--grep={wanted}"], timeout=5.0)
    except CommandFailed:
        return ()  # nothing matched, or there is no journal
    return tuple(line for line in found.stdout.splitlines() if line.strip())


def remounted(disk: Files, paths: Paths) -> tuple[str, ...]:
    """Return where a file system that should be written to is not: as a whole, and not as /etc/fstab wants it.

    The agent's own view of a mount may be read-only by its sandbox; the file system's own option is not.
    """
    wished = {
        words[1]
        for line in read_text(disk, paths.at("etc/fstab")).splitlines()
        if len(words := line.split()) >= 4 and not line.startswith("#") and "ro" in words[3].split(",")
    }
    return tuple(
        sorted({one.point for one in mounted(disk, paths) if _is_lost(one) and one.point not in wished})
    )


def _is_lost(one: Mounted) -> bool:
    by_hand = one.point.startswith(("/media/", "/mnt/", "/run/"))
    return one.filesystem in JOURNALLED and "ro" in one.options and not by_hand


def writers(disk: Files, paths: Paths) -> tuple[str, ...]:
    """Return who has written most since its start, one line each; processes that may not be looked at are left out."""
    found = []
    for pid in disk.names(paths.at("proc")):
        if not pid.isdigit():
            continue
        place = paths.at(f"proc/{pid}")
        written = WRITTEN.search(read_text(disk, place / "io"))
        if written and int(written[1]) >= LEAST_WRITTEN:
            found.append((int(written[1]), f"{read_text(disk, place / 'comm') or '?'} (pid {pid})"))
    most = sorted(found, reverse=True)[:WRITERS_SHOWN]
    return tuple(f"{name} wrote {count // MB} MB since its start" for count, name in most)


def smart_text(runner: Runner, device: str) -> str:
    """Return what smartctl says of a device as JSON; empty where there is no smartctl, or nothing to ask."""
    if device.startswith("mmcblk") or runner.find("smartctl") is None:
        return ""
    return smart.ask(runner, device)
