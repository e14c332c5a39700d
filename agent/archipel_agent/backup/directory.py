"""Backups in a directory: another disk, a stick, a share that is mounted.

The directory itself is never made: where it is missing, the stick is not in, and a backup on the site's own disk would be
none.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archipel_agent.backup.manifest import is_left_behind
from archipel_agent.backup.targets import Stored, TargetFailed, first_match, too_large
from archipel_agent.host import tree
from archipel_agent.host.disk import TEMPORARY
from archipel_agent.ports import CommandFailed, Disk

PRIVATE = 0o600
CODES = {
    errno.ENOSPC: "backup-target-full",
    errno.EDQUOT: "backup-target-full",
    errno.EFBIG: "backup-file-too-large",
}
# What the transient unit that writes for the confined agent says, in the words of strerror(3).
SAID = (
    ("no space left", "backup-target-full"),
    ("quota exceeded", "backup-target-full"),
    ("file too large", "backup-file-too-large"),
)


class DirectoryTarget:
    """Implements BackupTarget."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        """Keep files in `directory`, through `disk`."""
        self._directory = directory
        self._disk = disk

    def require(self, size: int) -> None:
        """See BackupTarget: what lies there already counts as taken, because a new file goes before an old one."""
        with self._explained():
            self._must_be_there()
            space = self._disk.space(self._directory)
        if space.largest_file is not None and size > space.largest_file:
            raise too_large(size, space.largest_file, f"{self._directory} ({space.filesystem})")
        # A driver that does not tell its size does not tell its room either.
        if space.size_bytes and size > space.free_bytes:
            problem = f"{size >> 20} MB or more are needed, {space.free_bytes >> 20} MB are free"
            raise TargetFailed("backup-target-full", problem)

    def put(self, file: Path, name: str) -> None:
        """See BackupTarget."""
        self._sweep(name)
        self.require(tree.size(file))
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

    def part(self, name: str, begin: int, length: int, file: Path) -> int:
        """See BackupTarget."""
        with self._explained():
            self._must_be_there()
            with tree.reading(self._directory / name) as readable, tree.writing(file) as writable:
                readable.seek(begin)
                while length > 0 and (part := readable.read(min(length, tree.CHUNK))):
                    writable.write(part)
                    length -= len(part)
        return 0

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

    def _sweep(self, name: str) -> None:
        """Remove what pulled sticks and cuts left of this site's backups, which may be gigabytes."""
        with self._explained():
            for one in self._disk.names(self._directory):
                if one.startswith(TEMPORARY) and is_left_behind(one.removeprefix(TEMPORARY), name):
                    self._disk.remove(self._directory / one)

    def _must_be_there(self) -> None:
        if not self._disk.exists(self._directory):
            raise TargetFailed(
                "backup-target-away", f"there is no directory {self._directory}, and none is made there"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            code = CODES.get(error.errno or 0, "backup-target-away")
            raise TargetFailed(code, f"{self._directory}: {error.strerror or error}") from error
        except CommandFailed as error:
            raise TargetFailed(first_match(str(error), SAID) or "backup-target-away", str(error)) from error
