"""How one name on the disk of a test changes, instant by instant, and what a power cut at each of them leaves.

Used by `disk.py`, whose methods are made of these; the reading half is in `files.py`.
"""

import errno
import functools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.fakes.files import TEMPORARY, Files, Node

TORN = 3  # of a write cut off in the middle, one third is left


class Changing(Files):
    """The steps that a change of one name takes."""

    def _replace(self, path: Path, node: Node) -> None:
        name, temporary = str(path), str(path.with_name(f"{TEMPORARY}{path.name}"))
        self._before(f"write {name}")
        present = self._nodes.get(name)
        if present is not None and present.is_directory:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if node.data is not None:
            torn = replace(node, mode=0o600, data=node.data[: len(node.data) // TORN])
            self.power.point(f"written, torn: {name}", functools.partial(self._put, temporary, torn))
        self.power.point(f"written, not renamed: {name}", functools.partial(self._put, temporary, node))
        self.power.point(f"renamed, lost: {name}")
        self._change(
            f"renamed, kept: {name}", f"written {name}", lambda: self._renamed(temporary, name, node)
        )

    def _name(self, path: Path, node: Node, before: dict[str, Node | None]) -> None:
        name, temporary = str(path), str(path.with_name(f"{TEMPORARY}{path.name}"))
        self._before(f"share {name}")
        present = self._nodes.get(name)
        if present is not None and present.is_directory:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        self.power.point(f"linked, not renamed: {name}", functools.partial(self._put, temporary, node))
        self.power.point(
            f"shared, alone: {name}",
            functools.partial(self._restore, {**before, name: node, temporary: None}),
        )
        before[name] = present
        self._change(f"shared: {name}", f"shared, done: {name}", lambda: self._renamed(temporary, name, node))

    def _renamed(self, temporary: str, name: str, node: Node) -> None:
        self._drop((temporary,))
        self._put(name, node)

    def _drop_at_once(self, name: str) -> None:
        self.power.point(f"removed, lost: {name}")
        self._change(f"removed, kept: {name}", f"removed {name}", functools.partial(self._drop, (name,)))

    def _change(self, kept: str, done: str, effect: Callable[[], None]) -> None:
        self.power.point(kept, effect)
        effect()
        self.power.point(done)

    def _before(self, label: str) -> None:
        self.power.point(f"before: {label}")
        if self.refuses is not None:
            raise OSError(self.refuses, os.strerror(self.refuses))
