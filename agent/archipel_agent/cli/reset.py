"""Puts a state that cannot be used aside, so that the agent can begin a new one. Called by `archipel agent reset-state`."""

import os
from pathlib import Path

from archipel_agent.cli.command import Stop
from archipel_agent.daemon import AlreadyRuns, hold_lock
from archipel_agent.paths import Paths
from archipel_agent.ports import Clock, Disk
from archipel_contract.exits import Exit

# The companions go first: a new database beside the write-ahead log of an old one would take that log for its own.
SUFFIXES = ("-shm", "-wal", "")


def set_aside(paths: Paths, disk: Disk, clock: Clock) -> Path | None:
    """Copy the state database with its companions to a directory of its own, then remove it; return the directory.

    Returns None when there is no state. Raises Stop when an agent runs, or the disk refuses. Nothing is removed before
    everything has been copied.
    """
    try:
        lock = hold_lock(paths.runtime / "agent.lock")
    except AlreadyRuns as error:
        raise Stop(Exit.REFUSED, f"{error}; stop it first: systemctl stop archipel-agent") from error
    except OSError as error:
        raise Stop(
            Exit.NOT_PERMITTED, f"the lock of the agent cannot be taken: {error.strerror}; use sudo"
        ) from error
    try:
        files = [path for suffix in SUFFIXES if disk.exists(path := _with(paths.database, suffix))]
        if not files:
            return None
        aside = paths.state / f"aside-{clock.now():%Y%m%d-%H%M%S}"
        for path in files:
            disk.copy(path, aside / path.name, 0o600)
        for path in files:
            disk.remove(path)
        return aside
    except OSError as error:
        raise Stop(Exit.FAILED, f"{error.filename or paths.state}: {error.strerror}") from error
    finally:
        os.close(lock)


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
