"""Small trees of /proc and /sys as machines have them, on a disk in memory."""

from collections.abc import Mapping
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.rehearsal.memory_disk import MemoryDisk

PATHS = Paths(Path("/"))
MOUNT = "{number} / {point} rw,relatime shared:1 - {kind} {source} {options}"


def planted(files: Mapping[str, str]) -> MemoryDisk:
    """Return a disk with these files, below the root."""
    disk = MemoryDisk()
    for name, text in files.items():
        disk.write(PATHS.at(name), text.encode())
    return disk


def mount(number: str, point: str, source: str, kind: str = "ext4", options: str = "rw") -> str:
    """Return one line of mountinfo."""
    return f"22 1 {MOUNT.format(number=number, point=point, kind=kind, source=source, options=options)}\n"


def stat(sectors: int) -> str:
    """Return a device's counters (the kernel's Documentation/block/stat.rst) with so many sectors written."""
    return f"   46060     1221  2912506    19843    99124   108221 {sectors}   221456   0   78124   241300 0 0 0 0 0 0\n"


def partition(whole: str, name: str, number: str) -> dict[str, str]:
    """Return what sysfs shows of a partition."""
    return {
        f"sys/dev/block/{number}/uevent": f"MAJOR={number.partition(':')[0]}\nDEVNAME={name}\nDEVTYPE=partition\n",
        f"sys/class/block/{name}/partition": "2\n",
        f"sys/block/{whole}/{name}/partition": "2\n",
    }


# As a Raspberry Pi 4 with a 32 GB card shows itself.
PI = {
    "proc/self/mountinfo": mount("179:2", "/", "/dev/root") + mount("179:1", "/boot/firmware", "/dev/mmcblk0p1", "vfat"),
    **partition("mmcblk0", "mmcblk0p2", "179:2"),
    "sys/block/mmcblk0/stat": stat(8_000_000),
    "sys/block/mmcblk0/size": "62333952\n",
    "sys/block/mmcblk0/queue/rotational": "0\n",
    "sys/block/mmcblk0/device/type": "SD\n",
    "sys/block/mmcblk0/device/name": "SC32G\n",
    "sys/block/mmcblk0/device/manfid": "0x000003\n",
    "sys/block/mmcblk0/device/oemid": "0x5344\n",
    "sys/block/mmcblk0/device/date": "08/2023\n",
    "sys/block/mmcblk0/device/cid": "035344534333324785a1b2c3d4017800\n",
}  # fmt: skip
# A compute module whose eMMC is nearly worn.
EMMC = {
    **PI,
    "sys/block/mmcblk0/device/type": "MMC\n",
    "sys/block/mmcblk0/device/name": "BJTD4R\n",
    "sys/block/mmcblk0/device/life_time": "0x02 0x09\n",
    "sys/block/mmcblk0/device/pre_eol_info": "0x02\n",
}
# A volume on an encrypted partition of an NVMe, as installers make it.
ENCRYPTED = {
    "proc/self/mountinfo": mount("253:1", "/", "/dev/mapper/vg-root")
    + mount("253:2", "/var/lib/rancher", "/dev/mapper/vg-k3s"),
    "sys/dev/block/253:1/uevent": "DEVNAME=dm-1\n",
    "sys/dev/block/253:2/uevent": "DEVNAME=dm-2\n",
    "sys/class/block/dm-2/dm/name": "vg-k3s\n",
    "sys/class/block/dm-2/slaves/dm-0": "",
    "sys/class/block/dm-0/slaves/nvme0n1p3": "",
    **partition("nvme0n1", "nvme0n1p3", "259:3"),
    "sys/block/nvme0n1/stat": stat(1_000),
    "sys/block/nvme0n1/size": "500118192\n",
    "sys/block/nvme0n1/device/serial": "S4X\n",
}
