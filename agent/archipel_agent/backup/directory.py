"""Backups in a directory: another disk, a stick, a share that is mounted.

The directory itself is never made: where it is missing, the stick is not in, and a backup on the site's own disk would be
none.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archipel_agent.backup.targets import Stored, TargetFailed, first_match
from archipel_agent.host import tree
from archipel_agent.host.disk import TEMPORARY
from archipel_agent.ports import CommandFailed, Disk

PRIVATE = 0o600
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What the transient unit that writes for the confined agent says, in the words of strerror(3).
SAID = (
    ("no space left", "backup-target-full"),
    ("quota exceeded", "backup-target-full"),
    ("file too large", "backup-target-full"),
)


class DirectoryTarget:
    """Implements BackupTarget."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        """Keep files in `directory`, through `disk`."""
        self._directory = directory
        self._disk = disk

    def put(self, file: Path, name: str) -> None:
        """See BackupTarget."""
        with self._explained():
            self._must_be_there()
            self._disk.copy(file, self._directory / name, PRIVATE)

    def get(self, name: str, file: Path) -> None:
        """See BackupTarget."""
        with self._explained():
            self._must_be_there()
            with tree.reading(self._directory / name) as readable, tree.writing(file) as writable:
                while part := readable.read(tree.CHUNK):
                    writable.write(part)

    def stored(self) -> tuple[Stored, ...]:
        """See BackupTarget."""
        with self._explained():
            self._must_be_there()
            names = [name for name in self._disk.names(self._directory) if not name.startswith(TEMPORARY)]
            return tuple(Stored(name=name, size=tree.size(self._directory / name)) for name in names)

    def delete(self, name: str) -> None:
        """See BackupTarget."""
        with self._explained():
            self._must_be_there()
            self._disk.remove(self._directory / name)

    def _must_be_there(self) -> None:
        if not self._disk.exists(self._directory):
            raise TargetFailed("backup-target-away", f"there is no {self._directory}; it is never made")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            code = "backup-target-full" if error.errno in FULL else "backup-target-away"
            raise TargetFailed(code, f"{self._directory}: {error.strerror or error}") from error
        except CommandFailed as error:
            raise TargetFailed(first_match(str(error), SAID) or "backup-target-away", str(error)) from error
