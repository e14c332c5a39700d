"""Directs a rehearsal while it runs: the faults named in a file are made, those no longer named are healed.

The file is `faults` in the rehearsed machine's runtime directory, one name a line; `archipel agent rehearse` writes it.
The daemon asks the director before each turn, so a fault shows at the next turn.
"""

from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Disk
from archipel_agent.rehearsal.faults import FAULTS, FaultUnknown, fault
from archipel_agent.rehearsal.world import SimulatedWorld


def faults_file(paths: Paths) -> Path:
    """Return the file that names the faults of the moment."""
    return paths.runtime / "faults"


def named(disk: Disk, paths: Paths) -> frozenset[str]:
    """Return the faults named now; empty without a file."""
    path = faults_file(paths)
    return frozenset(disk.read(path).decode(errors="replace").split()) if disk.exists(path) else frozenset()


def wish(disk: Disk, paths: Paths, name: str, present: bool) -> frozenset[str]:
    """Name a fault, or name it no longer; return all named now. Raises FaultUnknown."""
    fault(name)
    wanted = named(disk, paths) | {name} if present else named(disk, paths) - {name}
    disk.write(faults_file(paths), "".join(f"{one}\n" for one in sorted(wanted)).encode())
    return wanted


class Director:
    """Makes and heals what the file says."""

    def __init__(self, world: SimulatedWorld) -> None:
        """Direct `world`; faults of its scenario stay until they are healed by name."""
        self._world = world
        self._before: frozenset[str] = frozenset()

    def __call__(self) -> None:
        """Bring the world to what the file says; names it does not know are passed over."""
        wanted = named(self._world.disk, self._world.paths) & frozenset(FAULTS)
        for name in sorted(wanted - self._before):
            self._world.inject(name)
        for name in sorted(self._before - wanted):
            self._world.heal(name)
        self._before = wanted


__all__ = ["Director", "FaultUnknown", "faults_file", "named", "wish"]
