"""The port to what is mounted, for whoever looks for answer files and bundles on sticks and boot partitions.

Implemented by `host/media.py`; asked in each turn of the agent, at rest too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Mark = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mounted file system; a later one at the same point hides an earlier one."""

    point: Path
    filesystem: str
    is_removable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingBoot:
    """A boot partition that should be mounted and is not."""

    place: Path
    says: str  # who says so: /etc/fstab, or the board


class Media(Protocol):
    """What is mounted, for whoever looks for answer files. Every call is cheap enough for each turn."""

    def mounts(self) -> tuple[Mount, ...]:
        """Return what is mounted; the same object as long as nothing changed."""
        ...

    def mark(self, path: Path) -> Mark | None:
        """Return what changes when a file does, its size in bytes first; None if it is not there or cannot be looked at."""
        ...

    def missing_boot(self) -> MissingBoot | None:
        """Return the boot partition that this machine should have mounted, and has not."""
        ...
