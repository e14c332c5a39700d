"""Which file system holds a path, on what kind of device, and how full it is. Reads /proc and /sys only."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archipel_contract.facts import DiskSpace

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs"}
MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs", "devtmpfs"}


def space_of(path: Path) -> DiskSpace:
    """Return the file system that holds `path` or its nearest existing parent."""
    from archipel_contract.facts import DiskSpace  # noqa: PLC0415 - not asked by programs that do one privileged thing

    place = _existing(path)
    figures = os.statvfs(place)
    device, filesystem = _mounted(place)
    return DiskSpace(
        path=str(path),
        device=device,
        kind=_kind(device, filesystem),
        filesystem=filesystem,
        size_bytes=figures.f_blocks * figures.f_frsize,
        free_bytes=figures.f_bavail * figures.f_frsize,
        read_only=bool(figures.f_flag & os.ST_RDONLY),
    )


def room_of(path: Path) -> tuple[int, int]:
    """Return size and free bytes of the file system that holds `path` or its nearest existing parent."""
    figures = os.statvfs(_existing(path))
    return figures.f_blocks * figures.f_frsize, figures.f_bavail * figures.f_frsize


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _mounted(place: Path) -> tuple[str, str]:
    """Return device and type of the mount that holds `place`, from /proc/self/mountinfo (proc_pid_mountinfo(5))."""
    wanted = os.stat(place).st_dev
    number = f"{os.major(wanted)}:{os.minor(wanted)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == number:
            filesystem, device = after.split()[:2]
            return device, filesystem
    return "", ""


def _kind(device: str, filesystem: str) -> str:
    if filesystem in NETWORK_FILE_SYSTEMS:
        return "network"
    if filesystem in MEMORY_FILE_SYSTEMS:
        return "memory"
    name = os.path.basename(os.path.realpath(device)) if device.startswith("/dev/") else ""
    whole = re.sub(r"p?\d+$", "", name) if re.match(r"(mmcblk|nvme)", name) else name.rstrip("0123456789")
    if name.startswith("mmcblk"):
        return {"SD": "sd", "MMC": "emmc"}.get(_read(f"/sys/block/{whole}/device/type"), "unknown")
    if name.startswith("nvme"):
        return "nvme"
    return {"0": "ssd", "1": "hdd"}.get(_read(f"/sys/block/{whole}/queue/rotational"), "unknown")


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
