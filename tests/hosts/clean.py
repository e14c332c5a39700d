"""Removes what an abruptly ended run left behind: directories in the cache and empty cgroups, both under our mark.

Used by `python -m tests.hosts clean` and, for what has no owner any more, before the first host of a run. It ends
processes only inside such cgroups: a host ends with the process that made it, so what is left there hangs.
"""

import json
import shutil
from pathlib import Path

from tests.hosts import cgroups
from tests.hosts.places import MARK, Lock, cache, runs


def stale() -> list[Path]:
    """Directories of hosts whose maker is gone: the kernel has released its lock."""
    found = []
    for directory in sorted(runs().iterdir()):
        lock = directory / "lock"
        if not lock.exists():
            continue  # being made or being removed at this very moment
        held = Lock(lock)
        if held.take():
            found.append(directory)
        held.close()
    return found


def clean() -> list[str]:
    """Remove every stale host; returns what was removed and what would not go, one line each."""
    lines = []
    for directory in stale():
        noted = directory / "groups.json"
        groups = [Path(text) for text in json.loads(noted.read_text())] if noted.exists() else []
        ours = [path for path in groups if MARK in path.parts]
        cgroups.thaw(ours)
        cgroups.kill(ours)
        stuck = cgroups.remove(ours, patience=1.0)
        lines += [f"cgroup still has processes: {path}" for path in stuck]
        shutil.rmtree(directory, ignore_errors=True)
        lines.append(f"removed {directory}")
    return lines


def clean_cache() -> list[str]:
    """Remove the cached images and wheels too, unless a host is up."""
    if any(runs().iterdir()):
        return [f"kept {cache()}: hosts are up"]
    shutil.rmtree(cache())
    return [f"removed {cache()}"]
