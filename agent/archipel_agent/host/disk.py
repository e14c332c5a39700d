"""The one door to files: atomic and durable writes with their mode, and nothing followed out of its place.

Implements the Disk port; what only reads is in `files.py`. After `write`, `copy`, `share`, `link` and `remove` return, a
power cut cannot take them back: the data is fsynced before the rename and the directory after it. The temporary name starts
with `.archipel-` so that leftovers can be told and swept.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from archipel_agent.host.files import SystemFiles
from archipel_agent.host.mounts import space_of

TEMPORARY = ".archipel-"
CHUNK = 1 << 20
WRITE_BEHIND = 8 << 20  # bytes after which the kernel is asked to begin writing
IN_USER_SPACE = "fuse"  # fuse, fuseblk, fuse.NAME
# What chmod(2) says of a file of one's own where there are no modes: FAT and exFAT by drivers in user space, and FAT that
# is mounted as another user's.
WITHOUT_MODES = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})
# What link(2) says where a file cannot have a second name there: another file system or mount, FAT, too many of them.
WITHOUT_NAMES = frozenset({errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})


class SystemDisk(SystemFiles):
    """Files of this machine, to be read and changed."""

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """Replace `path` by `data` with `mode`, all or nothing; with `wipes` overwrite what stood there, which FAT
        would show to any tool until it needs the room."""
        self.make_directory(path.parent, None)
        with _wiping(path) if wipes else contextlib.nullcontext(), _replacing(path, mode) as descriptor:
            _write_all(descriptor, data)

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """Copy a file of any size into place, all or nothing."""
        self.make_directory(target.parent, None)
        with (
            source.open("rb") as readable,
            _replacing(target, mode) as descriptor,
            os.fdopen(os.dup(descriptor), "wb") as writable,
        ):
            while piece := readable.read(CHUNK):
                writable.write(piece)

    def share(self, names: Mapping[Path, Path], mode: int) -> None:
        """Give each file (a value) a second name (its key), each all or nothing; a copy where that cannot be."""
        linked = set()
        for path, file in names.items():
            self.make_directory(path.parent, None)
            if _given_name(file, path, mode):
                linked.add(path.parent)
            else:
                self.copy(file, path, mode)
        for directory in sorted(linked):
            _sync_directory(directory)

    def pour(self, path: Path, pieces: Iterable[bytes], mode: int) -> None:
        """Replace `path` by the pieces one after the other, all or nothing."""
        self.make_directory(path.parent, None)
        with _replacing(path, mode) as descriptor:
            begun = done = 0
            for piece in pieces:
                _write_all(descriptor, piece)
                done += len(piece)
                if done - begun >= WRITE_BEHIND:
                    # Linux begins to write what is said not to be needed: the disk works while the next pieces are made,
                    # and large files do not push everything else out of a small memory.
                    os.posix_fadvise(descriptor, begun, done - begun, os.POSIX_FADV_DONTNEED)
                    begun = done

    def link(self, target: Path, path: Path) -> None:
        """Make `path` a symbolic link to `target`, replacing a link that is there."""
        self.make_directory(path.parent, None)
        temporary = temporary_of(path)
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(path)
        _sync_directory(path.parent)

    def move(self, path: Path, target: Path) -> None:
        """Give a file or a directory another name in the same directory."""
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        os.rename(path, target)
        _sync_directory(path.parent)

    def make_directory(self, path: Path, mode: int | None = 0o755) -> None:
        """Make `path` and its parents; give it `mode` unless that is None and it is there."""
        if not path.is_dir():
            if path.parent != path:
                self.make_directory(path.parent, None)
            path.mkdir(mode=0o755, exist_ok=True)
            with _where_modes_are():
                path.chmod(0o755)  # whatever the umask says
            _sync_directory(path.parent)
        if mode is not None and stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)
            _sync_directory(path)

    def remove(self, path: Path) -> None:
        """Remove a file or link, if it is there, and what a cut-off write of it left."""
        temporary_of(path).unlink(missing_ok=True)
        try:
            path.unlink()
        except FileNotFoundError:
            return
        _sync_directory(path.parent)

    def erase(self, path: Path) -> None:
        """Overwrite a file where it lies with zeros, then remove it."""
        if path.is_file() and not path.is_symlink():
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                _overwrite(descriptor)
            finally:
                os.close(descriptor)
        self.remove(path)

    def remove_tree(self, path: Path, keep: frozenset[Path] = frozenset()) -> None:
        """Remove a directory with all it holds; raise OSError (EBUSY) if something is mounted inside it."""
        if not os.path.lexists(path):
            return
        if path.is_symlink() or not path.is_dir():
            self.remove(path)
            return
        device = path.stat().st_dev
        for place, directories, _ in os.walk(path):
            for name in directories:
                if os.lstat(os.path.join(place, name)).st_dev != device:
                    raise OSError(
                        errno.EBUSY, "another file system is mounted inside", os.path.join(place, name)
                    )
        _empty(path, keep)
        if not any(one.is_relative_to(path) for one in keep):
            try:
                path.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:  # a mount point: emptied is all that can be asked
                    raise
        _sync_directory(path.parent)

    def flush(self, path: Path) -> None:
        """Make durable what others wrote: a file with its name, or for a directory all on its file system."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.fsync(descriptor)
                _sync_directory(path.parent)
            elif ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(path))
        finally:
            os.close(descriptor)


def _empty(path: Path, keep: frozenset[Path]) -> None:
    """Remove what is below `path` but the files in `keep` and the directories on their way."""
    for entry in sorted(path.iterdir()):
        if entry in keep:
            continue
        if any(one.is_relative_to(entry) for one in keep):
            _empty(entry, keep)
        elif entry.is_dir() and not entry.is_symlink():
            from shutil import rmtree  # noqa: PLC0415 - it brings two compressors along, and is asked for when a site goes

            rmtree(entry)
        else:
            entry.unlink()
    _sync_directory(path)


def temporary_of(path: Path) -> Path:
    """Return where a file is written before it takes its name.

    The same for every process, so that whoever writes or removes the file again also clears what a cut left; there is
    one writer, because one agent holds the lock.
    """
    return path.with_name(f"{TEMPORARY}{path.name}")


def _given_name(source: Path, target: Path, mode: int) -> bool:
    """Give a file a second name, all or nothing, its directory not synced yet; return whether that can be."""
    if stat.S_IMODE(source.stat().st_mode) != mode:
        return False  # one file has one mode
    temporary = temporary_of(target)
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError as error:
        if error.errno not in WITHOUT_NAMES:
            raise
        return False
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # rename(2) does nothing where both are one file already
    return True


@contextlib.contextmanager
def _replacing(path: Path, mode: int) -> Iterator[int]:
    """Give a descriptor whose content takes the place of `path` once the block ends without an error."""
    temporary = temporary_of(path)
    temporary.unlink(missing_ok=True)
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        try:
            yield descriptor
            with _where_modes_are():
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_directory(path.parent)


@contextlib.contextmanager
def _where_modes_are() -> Iterator[None]:
    """Give a new file of ours its mode, or leave it as it was made, for its owner alone, where there are no modes."""
    try:
        yield
    except OSError as error:
        if error.errno not in WITHOUT_MODES:
            raise


@contextlib.contextmanager
def _wiping(path: Path) -> Iterator[None]:
    """Overwrite the file that is at `path` now, once the block has put another one there.

    Only where it has no name left, and the kernel drives the file system: drivers in user space that go by names keep it
    under another one, and that of FAT then writes into the new file.
    """
    if path.exists() and space_of(path).filesystem.startswith(IN_USER_SPACE):
        yield
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield
        return
    try:
        yield
        if os.fstat(descriptor).st_nlink == 0:
            _overwrite(descriptor)
    finally:
        os.close(descriptor)


def _overwrite(descriptor: int) -> None:
    os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
    os.fsync(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hand_over(path: Path, mode: int, group: int | None) -> None:
    """Give a file its mode, and to `group` (a gid) unless that is None; for the API's socket, which no write makes."""
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(mode)
