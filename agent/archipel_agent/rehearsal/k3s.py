"""The simulated k3s behind the K3sHost port: kept by a simulated systemd, speaking in recorded lines."""

from pathlib import Path

from archipel_agent.host.clock import text
from archipel_agent.ports import CommandFailed, UnitSpec
from archipel_agent.rehearsal import recordings
from archipel_agent.rehearsal.binary import version_in
from archipel_agent.rehearsal.life import Run
from archipel_agent.rehearsal.world import SimulatedWorld
from archipel_contract.status import K3sStatus, ServiceState

KEPT_BY = "systemd"
CRASH_LOOP, STABLE_SECONDS = 2, 60.0  # as k3s/systemd.py counts
WANTS = "multi-user.target.wants"


class SimulatedK3sHost:
    """Does what systemd and k3s would do, in the world's time."""

    def __init__(self, world: SimulatedWorld) -> None:
        """Live in `world`."""
        self._world = world
        self._unit = world.paths.k3s_unit
        self._wanted = world.paths.units / WANTS / world.paths.k3s_unit.name

    def version_text(self, binary: Path) -> str:
        """See ports.K3sHost."""
        disk, architecture = self._world.disk, self._world.state.facts.architecture
        if not disk.exists(binary):
            raise CommandFailed(f"{binary} cannot be read: No such file or directory")
        version = version_in(disk.read(binary), architecture)
        if not version:
            raise CommandFailed(f"{binary} cannot be started: Exec format error")
        return recordings.answer("version.txt").replace(recordings.VERSION, version)

    def unpack(self, binary: Path) -> bool:
        """See ports.K3sHost: a simulated k3s has nothing to unpack."""
        return True

    def install_service(self, spec: UnitSpec) -> None:
        """See ports.K3sHost."""
        self._world.disk.write(self._unit, spec.unit.encode(), 0o644)
        self._world.disk.link(self._unit, self._wanted)

    def service_installed(self, spec: UnitSpec) -> bool:
        """See ports.K3sHost."""
        disk = self._world.disk
        return (
            disk.exists(self._unit)
            and disk.read(self._unit) == spec.unit.encode()
            and disk.exists(self._wanted)
        )

    def remove_service(self) -> None:
        """See ports.K3sHost."""
        self._world.disk.remove(self._wanted)
        self._world.disk.remove(self._unit)

    def start(self) -> None:
        """See ports.K3sHost."""
        if not self._world.disk.exists(self._unit):
            raise CommandFailed("systemctl start ended with code 5: Unit k3s.service not found.", 5)
        with self._world.lock:
            self._world.settle()
            self._world.life.start()

    def stop(self) -> None:
        """See ports.K3sHost."""
        with self._world.lock:
            self._world.settle()
            self._world.life.stop()

    def stop_pods(self) -> None:
        """See ports.K3sHost."""
        with self._world.lock:
            self._world.settle()
            self._world.state.traces = False

    def status(self) -> K3sStatus:
        """See ports.K3sHost."""
        world = self._world
        with world.lock:
            world.settle()
            run, restarts = world.life.run, world.life.restarts
            state = self._state()
            if run is None or state is ServiceState.ABSENT:
                return K3sStatus(state=state, restarts=restarts, kept_by=KEPT_BY)
            return K3sStatus(
                state=state,
                pid=run.pid,
                started_at=text(run.began_at),
                restarts=restarts,
                kept_by=KEPT_BY,
            )

    def _state(self) -> ServiceState:
        life = self._world.life
        if not self._world.disk.exists(self._unit):
            return ServiceState.ABSENT
        if not life.asked:
            return ServiceState.STOPPED
        if life.run is None or (life.restarts >= CRASH_LOOP and not self._is_stable(life.run)):
            return ServiceState.FAILING
        return ServiceState.RUNNING if self._world.api_answers() else ServiceState.STARTING

    def _is_stable(self, run: Run) -> bool:
        return self._world.clock.monotonic() - run.began >= STABLE_SECONDS

    def log(self, lines: int) -> tuple[str, ...]:
        """See ports.K3sHost."""
        with self._world.lock:
            self._world.settle()
            return self._world.life.log(lines)

    def leftovers(self) -> tuple[str, ...]:
        """See ports.K3sHost."""
        self._world.settle()
        if not self._world.state.traces:
            return ()
        return tuple(recordings.answer("leftovers.txt").splitlines())
