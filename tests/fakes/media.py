"""What is mounted, as a test says; marks of files come from what the disk of the test holds."""

import zlib
from pathlib import Path

from archipel_agent.ports import Disk, Mark, MissingBoot, Mount


class FakeMedia:
    """Implements the Media port over any Disk."""

    def __init__(self, disk: Disk, *mounts: Mount, missing: MissingBoot | None = None) -> None:
        self._disk = disk
        self.mounted = mounts
        self.missing = missing
        self.asked: list[Path] = []

    def mounts(self) -> tuple[Mount, ...]:
        """See ports.Media."""
        return self.mounted

    def mark(self, path: Path) -> Mark | None:
        """See ports.Media: size and content, as if every change had its own time."""
        self.asked.append(path)
        if not self._disk.exists(path):
            return None
        data = self._disk.read(path)
        return (len(data), zlib.crc32(data))

    def missing_boot(self) -> MissingBoot | None:
        """See ports.Media."""
        return self.missing
