"""Which troubles a rehearsal has, as a file below its root: one name a line, changed by whoever leads the rehearsal.

The demo and a trainer write it from another process; the world looks at it about once a second. Names that do not exist
are left out, so that a typing error does not end a training.
"""

from archipel_agent.paths import Paths
from archipel_agent.ports import Disk
from archipel_agent.rehearsal.faults import FAULTS

FILE = "rehearsal/faults"


def write(paths: Paths, disk: Disk, names: frozenset[str]) -> None:
    """Have exactly these troubles from now on."""
    disk.write(paths.at(FILE), "".join(f"{name}\n" for name in sorted(names)).encode())


def wanted(paths: Paths, disk: Disk) -> frozenset[str] | None:
    """Return the troubles there should be; None if nobody has said."""
    path = paths.at(FILE)
    if not disk.exists(path):
        return None
    return frozenset(disk.read(path).decode(errors="replace").split()) & frozenset(FAULTS)
