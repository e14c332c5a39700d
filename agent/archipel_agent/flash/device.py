"""Which device holds a path, through partitions, LVM, encryption and loops; what was written to it. Through the Disk port.

Used by `flash.watch`. All of it are small files of /proc and /sys (Documentation/ABI/stable/sysfs-block of the kernel).
"""

from dataclasses import dataclass
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Files

SECTOR = 512  # the unit of the kernel's counters, whatever the device uses
WRITTEN_SECTORS = 6  # the field of /sys/block/DEVICE/stat
DEPTH = 8  # a partition in a logical volume in an encrypted device in a loop, and then some
IDENTITIES = ("device/cid", "device/serial", "wwid", "device/wwid")  # of cards, of NVMe, of SCSI and SATA


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of /proc/self/mountinfo (proc_pid_mountinfo(5))."""

    point: str
    number: str  # MAJOR:MINOR
    filesystem: str
    source: str
    options: frozenset[str]  # of the file system itself, not of this mount of it


def read_text(disk: Files, path: Path) -> str:
    """Return the content of a small file without surrounding blanks; empty if it cannot be read."""
    try:
        return disk.read(path).decode(errors="replace").strip(" \t\r\n\0")
    except OSError:
        return ""


def mounted(disk: Files, paths: Paths) -> tuple[Mounted, ...]:
    """Return what is mounted, in order; empty if it cannot be read."""
    found = []
    for line in read_text(disk, paths.at("proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        words, kinds = before.split(), after.split()
        if len(words) >= 5 and len(kinds) >= 3:
            point = words[4].replace("\\040", " ")
            found.append(Mounted(point, words[2], kinds[0], kinds[1], frozenset(kinds[2].split(","))))
    return tuple(found)


def mount_of(mounts: tuple[Mounted, ...], path: Path) -> Mounted | None:
    """Return what holds `path`: of the longest mount points above it the one mounted last."""
    wanted = (str(path), *map(str, path.parents))
    above = [one for one in mounts if one.point in wanted]
    return max(enumerate(above), key=lambda one: (len(one[1].point), one[0]))[1] if above else None


def devices_of(disk: Files, paths: Paths, path: Path) -> tuple[str, ...]:
    """Return the whole devices (`mmcblk0`, `sda`, `nvme0n1`) that hold `path`, sorted; empty if that cannot be told."""
    return tuple(sorted(_holding(disk, paths, mounted(disk, paths), path, DEPTH)))


def _holding(
    disk: Files, paths: Paths, mounts: tuple[Mounted, ...], path: Path, depth: int
) -> frozenset[str]:
    place = mount_of(mounts, path)
    name = _block_of(disk, paths, place) if place is not None else ""
    return _whole(disk, paths, mounts, name, depth) if name else frozenset()


def _block_of(disk: Files, paths: Paths, place: Mounted) -> str:
    """Return the name of the block device of a mount."""
    for line in read_text(disk, paths.at(f"sys/dev/block/{place.number}/uevent")).splitlines():
        key, _, value = line.partition("=")
        if key == "DEVNAME":
            return value
    name = place.source.rpartition("/")[2] if place.source.startswith("/dev/") else ""
    blocks = paths.at("sys/class/block")
    if name and disk.exists(blocks / name):  # btrfs: a number that belongs to no device
        return name
    mapped = (one for one in disk.names(blocks) if one.startswith("dm-"))
    return next((one for one in mapped if name and read_text(disk, blocks / one / "dm/name") == name), "")


def _whole(disk: Files, paths: Paths, mounts: tuple[Mounted, ...], name: str, depth: int) -> frozenset[str]:
    block = paths.at("sys/class/block") / name
    if depth == 0:
        return frozenset()
    below = disk.names(block / "slaves")
    if below:
        return frozenset().union(*(_whole(disk, paths, mounts, one, depth - 1) for one in below))
    file = read_text(disk, block / "loop/backing_file")
    if file:
        return _holding(disk, paths, mounts, Path(file), depth - 1)
    whole = paths.at("sys/block")
    if not disk.exists(block / "partition"):
        return frozenset({name} if disk.exists(whole / name) else ())
    return frozenset(one for one in disk.names(whole) if disk.exists(whole / one / name))


def written_bytes(disk: Files, paths: Paths, device: str) -> int | None:
    """Return how much was written to a whole device since the start of the machine; None if it cannot be read."""
    fields = read_text(disk, paths.at(f"sys/block/{device}/stat")).split()
    if len(fields) <= WRITTEN_SECTORS or not fields[WRITTEN_SECTORS].isdigit():
        return None
    return int(fields[WRITTEN_SECTORS]) * SECTOR


def size_bytes(disk: Files, paths: Paths, device: str) -> int | None:
    """Return how large a whole device is."""
    text = read_text(disk, paths.at(f"sys/block/{device}/size"))
    return int(text) * SECTOR if text.isdigit() else None


def kind_of(disk: Files, paths: Paths, device: str) -> str:
    """Return sd, emmc, nvme, ssd, hdd or unknown."""
    block = paths.at(f"sys/block/{device}")
    if device.startswith("mmcblk"):
        return {"SD": "sd", "MMC": "emmc"}.get(read_text(disk, block / "device/type"), "unknown")
    if device.startswith("nvme"):
        return "nvme"
    return {"0": "ssd", "1": "hdd"}.get(read_text(disk, block / "queue/rotational"), "unknown")


def identity_of(disk: Files, paths: Paths, device: str) -> str:
    """Return what tells this device from another one in its place."""
    block = paths.at(f"sys/block/{device}")
    own = next((text for name in IDENTITIES if (text := read_text(disk, block / name))), "")
    return f"{device}:{own}"[:120]
