"""A cgroup of its own for each host, in every hierarchy the machine has.

Used by `ground.py`. Knows version 1 (one hierarchy for each controller) and version 2; changes nothing
outside the directories it makes, which carry the mark of the test ground.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.hosts.places import MARK


def _mounts() -> list[tuple[str, str, Path]]:
    """(type, controller options, mount point) of every cgroup file system of this machine."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            found.append((kind, options, Path(left.split()[4])))
    return found


def is_unified() -> bool:
    """Whether controllers live in version 2."""
    return any(kind == "cgroup2" and point == Path("/sys/fs/cgroup") for kind, _, point in _mounts())


def controllers() -> list[str]:
    """The version 1 hierarchies by the name of their directory, for mounting them again inside a host."""
    return [point.name for kind, _, point in _mounts() if kind == "cgroup"]


def _own(point: Path, options: str) -> Path:
    """The cgroup of this very process in one version 1 hierarchy: limits that hold for us hold for our
    hosts."""
    words = set(options.split(","))
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        mine = point / path.lstrip("/")
        if names and set(names.split(",")) <= words and mine.is_dir():
            return mine
    return point


def create(name: str) -> list[Path]:
    """Make the cgroups of host `name` and return their directories, ready to take processes."""
    if is_unified():
        return [_create_unified(name)]
    made = []
    for kind, options, point in _mounts():
        # An empty version 2 beside version 1 ("hybrid") counts: systemd-nspawn takes its place from there.
        parent = (_own(point, options) if kind == "cgroup" else point) / MARK
        path = parent / name
        for level in (parent, path):
            level.mkdir(exist_ok=True)
            if "cpuset" in options.split(","):
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (level / file).write_text((level.parent / file).read_text())
                (level / "cgroup.clone_children").write_text("1")
        made.append(path)
    return made


def _create_unified(name: str) -> Path:
    root = Path("/sys/fs/cgroup")
    path = root / MARK / name
    path.mkdir(parents=True, exist_ok=True)
    wanted = " ".join(f"+{word}" for word in (root / "cgroup.controllers").read_text().split())
    for level in (root, root / MARK):
        (level / "cgroup.subtree_control").write_text(wanted)
    return path


def processes(paths: list[Path]) -> set[int]:
    """Every process id below these cgroups."""
    found: set[int] = set()
    for path in paths:
        for top, _, files in os.walk(path):
            if "cgroup.procs" in files:
                try:
                    found.update(int(word) for word in (Path(top) / "cgroup.procs").read_text().split())
                except OSError:
                    continue  # the cgroup went away while we looked
    return found


def thaw(paths: list[Path]) -> None:
    """Let frozen processes go on: under version 1 they do not even die before that."""
    for path in paths:
        for state in path.rglob("freezer.state"):
            with contextlib.suppress(OSError):
                state.write_text("THAWED")


def kill(paths: list[Path]) -> None:
    """SIGKILL for every process below these cgroups."""
    for pid in processes(paths):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def remove(paths: list[Path], patience: float = 3.0) -> list[Path]:
    """Remove the cgroups from the bottom up, waiting for killed processes to leave; returns what would not
    go."""
    end = time.monotonic() + patience
    while True:
        left = [path for path in paths if not _removed(path)]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def _removed(path: Path) -> bool:
    for top, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(top)
        except OSError:
            return not Path(top).exists()
    with contextlib.suppress(OSError):
        path.parent.rmdir()  # the directory with our mark, once the last host has gone
    return not path.exists()
