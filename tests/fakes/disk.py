"""A disk in memory that loses at a power cut exactly what a real one may lose.

Implements the Disk port by the same steps as `host/disk.py`: temporary file, fsync, rename, fsync of the directory.
Between any two of them the power can go (see `Power`); what then survives is the worst a file system may do: data that
was not fsynced is torn or gone, a rename or removal whose directory was not fsynced has happened or has not.
tests/agent/host/test_disk_contract.py holds it and the real one to the same behaviour.
"""

import errno
import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.fakes.changing import Changing
from tests.fakes.files import TEMPORARY, Node
from tests.fakes.power import Power

MODE_LINK = 0o777


class TreacherousDisk(Changing):
    """Files in memory; everything below `volatile` is gone after a power cut, as /run is."""

    def __init__(self, power: Power | None = None, volatile: tuple[Path, ...] = ()) -> None:
        super().__init__(power)
        self.gives_names = True  # False: no file can have two, as on FAT
        self._volatile = tuple(f"{path}/" for path in volatile)

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """See ports.Disk. What stood there is gone with its name."""
        self.make_directory(path.parent, None)
        self._replace(path, Node(mode, bytes(data)))

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """See ports.Disk."""
        self.make_directory(target.parent, None)
        self._replace(target, Node(mode, self.read(source)))

    def share(self, names: Mapping[Path, Path], mode: int) -> None:
        """See ports.Disk. The directories are synced last: a cut may keep any name and lose those given before it."""
        before: dict[str, Node | None] = {}
        for path, file in names.items():
            self.read(file)
            node = self._nodes[self._followed(file)]
            self.make_directory(path.parent, None)
            if node.mode == mode and self.gives_names:
                self._name(path, node, before)
            else:
                self.copy(file, path, mode)
        if before:
            self.power.point("all shared, lost", functools.partial(self._restore, before))
            self.power.point("all shared")

    def pour(self, path: Path, pieces: Iterable[bytes], mode: int) -> None:
        """See ports.Disk. The power may go between any two pieces, with what was written until then torn or whole."""
        self.make_directory(path.parent, None)
        temporary, whole = str(path.with_name(f"{TEMPORARY}{path.name}")), b""
        try:
            for piece in pieces:
                self._before(f"pour into {path}")
                whole += piece
                self.power.point(
                    f"poured: {path}", functools.partial(self._put, temporary, Node(0o600, whole))
                )
                if self.full_at is not None and len(whole) > self.full_at:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except BaseException:
            if self.power.is_on:
                self._drop((temporary,))
            raise
        self._replace(path, Node(mode, whole))

    def link(self, target: Path, path: Path) -> None:
        """See ports.Disk."""
        self.make_directory(path.parent, None)
        self._replace(path, Node(MODE_LINK, target=str(target)))

    def move(self, path: Path, target: Path) -> None:
        """See ports.Disk: one rename, which a cut may lose until the directory is synced."""
        if str(target) in self._nodes:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        if str(path) not in self._nodes:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._before(f"move {path}")
        self.power.point(f"moved, lost: {path}")
        self._change(f"moved, kept: {path}", f"moved {path}", lambda: self._moved(str(path), str(target)))

    def _moved(self, name: str, target: str) -> None:
        going = [one for one in self._nodes if one == name or one.startswith(f"{name}/")]
        for one in going:
            self._nodes[target + one[len(name) :]] = self._nodes.pop(one)

    def make_directory(self, path: Path, mode: int | None = 0o755) -> None:
        """See ports.Disk."""
        name = str(path)
        node = self._nodes.get(self._followed(path))
        if node is None:
            if path.parent != path:
                self.make_directory(path.parent, None)
            self._before(f"make directory {name}")
            made = functools.partial(self._put, name, Node(0o755))
            self.power.point(f"made, lost: {name}")
            self.power.point(f"made, kept: {name}", made)
            made()
        elif not node.is_directory:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        if mode is not None and self._nodes[name].mode != mode:
            self._before(f"mode of {name}")
            self._put(name, Node(mode))
            self.power.point(f"mode set: {name}")

    def remove(self, path: Path) -> None:
        """See ports.Disk."""
        node = self._nodes.get(str(path))
        self.power.check()
        self._nodes.pop(str(path.with_name(f"{TEMPORARY}{path.name}")), None)
        if node is None:
            return
        if node.is_directory:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        self._before(f"remove {path}")
        self._drop_at_once(str(path))

    def flush(self, path: Path) -> None:
        """See ports.Disk: what others wrote is not played here."""
        self.power.check()

    def erase(self, path: Path) -> None:
        """See ports.Disk. The power may go between the overwriting and the removal."""
        node = self._nodes.get(str(path))
        if node is not None and node.data is not None:
            zeros = functools.partial(self._put, str(path), replace(node, data=bytes(len(node.data))))
            self.power.point(f"overwritten: {path}", zeros)
            zeros()
        self.remove(path)

    def remove_tree(self, path: Path, keep: frozenset[Path] = frozenset()) -> None:
        """See ports.Disk."""
        name = str(path)
        node = self._nodes.get(name)
        if node is None or not node.is_directory:
            self.remove(path)
            return
        self._before(f"remove tree {name}")
        stay = {str(place) for one in keep for place in (one, *one.parents)}
        inside = sorted((one for one in self._nodes if one.startswith(f"{name}/")), reverse=True)
        going = [one for one in inside if one not in stay]
        for label, part in (("a half of", going[: len(going) // 2]), ("all but the top of", going)):
            if part:
                self.power.point(f"removed {label} {name}", functools.partial(self._drop, tuple(part)))
        self._drop(tuple(going))
        if name not in stay:
            self._drop_at_once(name)

    def after_power_cut(self) -> None:
        """Give the power back with only what survived, and without what never outlives a boot."""
        self.after_kill()
        self._drop(tuple(name for name in self._nodes if name.startswith(self._volatile)))

    def after_kill(self) -> None:
        """Go on after the death of the program alone: the kernel keeps what it had written, /run too."""
        self.power.back()
