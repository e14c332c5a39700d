"""A k3s that somebody started by hand and Archipel adopted: it is looked at, and never started or ended by us.

Its command line is not known (k3s writes over it), so that nobody but whoever started it could start it again as it was.
Wraps the keeper of this machine and does nothing else until a k3s run by hand was adopted. Called by `compose`.
"""

from pathlib import Path

from archipel_agent.host.clock import text as time_text
from archipel_agent.host.process import ProcessId, identify, programs, started_at
from archipel_agent.k3s.host import Keeper
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Disk, UnitSpec
from archipel_contract.status import K3sStatus, ServiceState

NAME = "hand"


def marker(paths: Paths) -> Path:
    """Return the file that says that the k3s here was adopted from whoever started it by hand."""
    return paths.state / "k3s-by-hand"


class HandKeeper:
    """The service side of K3sHost for a k3s run by hand, once there is the marker; until then that of another keeper."""

    def __init__(self, other: Keeper, disk: Disk, paths: Paths) -> None:
        """`other` is what keeps k3s on this machine as a rule."""
        self._other = other
        self.name = other.name
        self._disk = disk
        self._marker = marker(paths)
        self._programs = f"{paths.k3s_data}/data/"
        self._seen: ProcessId | None = None

    @property
    def _is_adopted(self) -> bool:
        return self._disk.exists(self._marker)

    def unpack(self, binary: Path) -> bool:
        """Begin to have k3s unpack itself; one run by hand has."""
        return not self._is_adopted and self._other.unpack(binary)

    def installed(self, spec: UnitSpec) -> bool:
        """Whether the service is installed exactly so."""
        return not self._is_adopted and self._other.installed(spec)

    def install(self, spec: UnitSpec) -> None:
        """Install the service; raise CommandFailed for a k3s run by hand."""
        self._refuse("made a service")
        self._other.install(spec)

    def remove(self) -> None:
        """Forget the service; there is none of a k3s run by hand."""
        if not self._is_adopted:
            self._other.remove()

    def start(self) -> None:
        """Start without waiting; raise CommandFailed for a k3s run by hand."""
        self._refuse("started")
        self._other.start()

    def stop(self) -> None:
        """Stop the process; raise CommandFailed for a k3s run by hand."""
        self._refuse("ended")
        self._other.stop()

    def _refuse(self, done: str) -> None:
        if self._is_adopted:
            raise CommandFailed(f"k3s was started by hand here, and is {done} only by whoever started it")

    def status(self) -> K3sStatus:
        """Return how it stands."""
        if not self._is_adopted:
            return self._other.status()
        found = self._process()
        if found is None:
            return K3sStatus(state=ServiceState.STOPPED, kept_by=NAME)
        return K3sStatus(
            state=ServiceState.RUNNING,
            pid=found.pid,
            started_at=time_text(started_at(found)),
            kept_by=NAME,
        )

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last lines; where one run by hand writes to is not known."""
        return () if self._is_adopted else self._other.log(lines)

    def _process(self) -> ProcessId | None:
        """Return the k3s that runs from this machine's data directory; looked for only when the one known is gone."""
        if self._seen is None or identify(self._seen.pid) != self._seen:
            found = (pid for pid, program in programs() if self._is_server(program))
            pid = next(found, None)
            self._seen = identify(pid) if pid is not None else None
        return self._seen

    def _is_server(self, program: str) -> bool:
        # The kernel hides the program from a sandbox; the command line is then what k3s made of it.
        return (program.startswith(self._programs) and Path(program).name == "k3s") or program.endswith(
            "k3s server"
        )
