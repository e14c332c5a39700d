"""The disk as the sandboxed agent sees it: writes outside its own places go through a transient unit.

The agent's unit makes the system read-only but for the directories in `OWN`; units and sysctl.d are not among them.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from archipel_agent.host.disk import SystemDisk, temporary_of
from archipel_agent.paths import Paths
from archipel_agent.ports import Privileged


class SandboxedDisk(SystemDisk):
    """A SystemDisk that knows which places need help."""

    def __init__(self, privileged: Privileged, paths: Paths) -> None:
        """Send everything outside the agent's writable places through `privileged`."""
        self._privileged = privileged
        self._own = (
            paths.state,
            paths.runtime,
            paths.settings,
            paths.at("etc/rancher"),
            paths.at("var/lib/rancher"),
        )

    def _is_own(self, path: Path) -> bool:
        return any(path.is_relative_to(place) for place in self._own)

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """Replace `path` by `data` with `mode`, all or nothing; with `wipes` overwrite what stood there."""
        if self._is_own(path):
            super().write(path, data, mode, wipes)
        else:
            encoded = base64.b64encode(data).decode()
            verb = "write-over" if wipes else "write"
            self._privileged.call(verb, path=str(path), data=encoded, mode=f"{mode:o}")

    def link(self, target: Path, path: Path) -> None:
        """Make `path` a symbolic link to `target`."""
        if self._is_own(path):
            super().link(target, path)
        else:
            self._privileged.call("link", target=str(target), path=str(path))

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """Copy a file of any size into place, all or nothing."""
        if self._is_own(target):
            super().copy(source, target, mode)
        else:
            self._privileged.call("copy", source=str(source), target=str(target), mode=f"{mode:o}")

    def share(self, names: Mapping[Path, Path], mode: int) -> None:
        """Give each file (a value) a second name (its key); one unit for all, as each takes its time to begin."""
        # Inside the sandbox each place of ours is a mount of its own, and no file has names in two of those.
        if names:
            pairs = json.dumps({str(path): str(file) for path, file in names.items()})
            self._privileged.call("share", names=pairs, mode=f"{mode:o}")

    def remove(self, path: Path) -> None:
        """Remove a file or link, if it is there."""
        if self._is_own(path):
            super().remove(path)
        elif self.exists(path) or self.exists(temporary_of(path)):
            self._privileged.call("remove", path=str(path))

    def remove_tree(self, path: Path, keep: frozenset[Path] = frozenset()) -> None:
        """Remove a directory with all it holds but what is to be kept."""
        # A place of our own is a mount point inside the sandbox: what is in it can be removed there, not itself.
        if self._is_own(path) and path not in self._own:
            super().remove_tree(path, keep)
        elif self.exists(path):
            kept = json.dumps(sorted(str(one) for one in keep))
            self._privileged.call("remove-tree", path=str(path), keep=kept)
