"""A stick as bought: one partition with FAT32, in a file that QEMU gives to the machine as USB mass storage.

Used by the tests of emulated machines. Written and read at a desk, with mtools, while the stick is in no machine; what a
reader sees while it is in one may be half a write.
"""

import struct
from pathlib import Path

from tests.hosts import shell

PROGRAMS = {"mkfs.vfat": "dosfstools", "fsck.vfat": "dosfstools", "mcopy": "mtools"}
LABEL = "ARCHIPEL"
_SECTOR = 512
_FIRST = 2048  # sectors before the partition, as formatters leave them
_FAT32_LBA = 0x0C
# The byte of the boot sector in which Linux notes that it has mounted it (struct fat_boot_sector in linux/msdos_fs.h).
_STATE, _DIRTY = 65, 1
_HARMLESS = (
    "fsck.fat",
    "Reclaimed",
    "Free cluster summary",
    "  Auto-correcting",
    "Leaving filesystem unchanged",
)


class Stick:
    """See the module."""

    def __init__(self, image: Path, megabytes: int = 1024) -> None:
        """Make and format it."""
        self.image = image
        sectors = megabytes * 1024 * 1024 // _SECTOR - _FIRST
        with open(image, "wb") as file:
            file.truncate((sectors + _FIRST) * _SECTOR)
            # One entry of the table in the master boot record: no addresses by cylinder, as is usual for large media.
            entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", _FAT32_LBA, b"\xfe\xff\xff", _FIRST, sectors)
            file.seek(446)
            file.write(entry + bytes(48) + b"\x55\xaa")
        where = [f"--offset={_FIRST}", str(image), str(sectors // 2)]
        shell.run(["mkfs.vfat", "-F", "32", "-n", LABEL, *where]).ok()
        self._desk = f"{image}@@{_FIRST * _SECTOR}"

    def put(self, *files: Path) -> None:
        """Copy files onto it."""
        shell.run(["mcopy", "-o", "-i", self._desk, *map(str, files), "::/"], timeout=300).ok()

    def read(self, name: str) -> str:
        """A file of it as text; empty where there is none."""
        done = shell.run(["mtype", "-i", self._desk, f"::/{name}"])
        return done.stdout if done.rc == 0 else ""

    def remove(self, name: str) -> None:
        """Take a file off it."""
        shell.run(["mdel", "-i", self._desk, f"::/{name}"]).ok()

    def check(self) -> str:
        """What `fsck.vfat` has to say against it, empty where every file is whole. No faults are that it was not unmounted,
        and room that no file has: whoever is cut off while a file is replaced leaves that on every FAT.
        """
        with open(self.image, "rb") as whole:
            whole.seek(_FIRST * _SECTOR)
            part = self.image.with_suffix(".part")
            part.write_bytes(whole.read())
        with open(part, "r+b") as file:
            file.seek(_STATE)
            state = file.read(1)[0]
            file.seek(_STATE)
            file.write(bytes([state & ~_DIRTY]))
        done = shell.run(["fsck.vfat", "-n", str(part)], timeout=120)
        part.unlink()
        lines = [
            line for line in done.stdout.splitlines() if line and not line.startswith((*_HARMLESS, str(part)))
        ]
        return "" if done.rc == 0 else "\n".join(lines)
