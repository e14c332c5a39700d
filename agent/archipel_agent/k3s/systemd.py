"""k3s kept by systemd: its unit, its state, its journal.

In the idle loop the state is answered from /proc: as long as the main process last seen lives (same pid, same start
time), systemd has nothing to add, and asking it would cost a process every turn.
"""

from dataclasses import replace
from pathlib import Path

from archipel_agent.host.clock import text as time_text
from archipel_agent.host.process import ProcessId, alive_seconds, identify, started_at
from archipel_agent.k3s.unit import UNIT
from archipel_agent.ports import CommandFailed, Disk, Runner, UnitSpec
from archipel_contract.status import K3sStatus, ServiceState

CRASH_LOOP = 2  # restarts by systemd since the start asked for, from which we speak of failing
STABLE_SECONDS = 60.0  # a process that has lived so long is over its crash loop, whatever came before
UNPACKING = "archipel-unpack.service"
SHOWN = ("LoadState", "ActiveState", "SubState", "NRestarts", "MainPID")


class SystemdKeeper:
    """The service side of K3sHost under systemd."""

    name = "systemd"

    def __init__(self, runner: Runner, disk: Disk, unit_path: Path) -> None:
        """Keep k3s through the unit at `unit_path`."""
        self._runner = runner
        self._disk = disk
        self._path = unit_path
        self._seen: tuple[ProcessId, K3sStatus] | None = None

    def _systemctl(self, *words: str, timeout: float = 30.0, ok: tuple[int, ...] = (0,)) -> str:
        return self._runner.run(["systemctl", *words], timeout=timeout, ok=ok).stdout

    def unpack(self, binary: Path) -> bool:
        """Have it unpack itself in a transient unit, by a command of its own that does nothing else."""
        asked = ["systemd-run", "--no-block", "--collect", "--quiet", f"--unit={UNPACKING}"]
        # 1: one is at it from before a restart of the agent. Where it fails otherwise, the start of k3s unpacks.
        return self._runner.run([*asked, binary, "ctr", "--version"], ok=(0, 1)).code == 0

    def installed(self, spec: UnitSpec) -> bool:
        """Whether the unit is there exactly so, and enabled."""
        wanted = self._path.parent / "multi-user.target.wants" / UNIT
        return (
            self._disk.exists(self._path)
            and self._disk.read(self._path) == spec.unit.encode()
            and self._disk.exists(wanted)
        )

    def install(self, spec: UnitSpec) -> None:
        """Write the unit and have it started at boot."""
        self._disk.write(self._path, spec.unit.encode(), 0o644)
        self._disk.link(self._path, self._path.parent / "multi-user.target.wants" / UNIT)
        self._systemctl("daemon-reload")

    def remove(self) -> None:
        """Forget the unit."""
        self._disk.remove(self._path.parent / "multi-user.target.wants" / UNIT)
        self._disk.remove(self._path)
        self._systemctl("daemon-reload")
        self._systemctl("reset-failed", UNIT, ok=(0, 1, 5))
        self._seen = None

    def start(self) -> None:
        """Start without waiting: k3s reports ready only when its API serves, which may take minutes."""
        self._systemctl("reset-failed", UNIT, ok=(0, 1, 5))
        self._systemctl("start", "--no-block", UNIT)

    def stop(self) -> None:
        """Stop the k3s process."""
        self._seen = None
        self._systemctl("stop", UNPACKING, ok=(0, 5))
        self._systemctl("stop", UNIT, timeout=120.0, ok=(0, 5))

    def status(self) -> K3sStatus:
        """Return how the service stands."""
        if self._seen and identify(self._seen[0].pid) == self._seen[0]:
            return self._seen[1]
        self._seen = None
        try:
            shown = self._systemctl("show", UNIT, "-p", ",".join(SHOWN))
        except CommandFailed:
            return K3sStatus(kept_by=self.name)
        status = parse_show(shown)
        process = identify(status.pid) if status.pid else None
        if process and status.state is ServiceState.FAILING and alive_seconds(process) >= STABLE_SECONDS:
            status = replace(status, state=ServiceState.RUNNING)
        if process:
            status = replace(status, started_at=time_text(started_at(process)))
            if status.state is ServiceState.RUNNING:
                self._seen = (process, status)
        return status

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last lines of the unit's journal."""
        argv = ["journalctl", "-u", UNIT, "-o", "cat", "--no-pager", "-n", str(lines)]
        try:
            return tuple(self._runner.run(argv, timeout=15.0).stdout.splitlines())
        except CommandFailed:
            return ()


def parse_show(text: str) -> K3sStatus:
    """Return what `systemctl show` printed for SHOWN, in any order."""
    fields = dict(line.partition("=")[::2] for line in text.splitlines())
    restarts = int(fields.get("NRestarts") or 0)
    pid = int(fields.get("MainPID") or 0) or None
    return K3sStatus(
        state=_state(
            fields.get("LoadState", ""), fields.get("ActiveState", ""), fields.get("SubState", ""), restarts
        ),
        pid=pid,
        restarts=restarts,
        kept_by=SystemdKeeper.name,
    )


def _state(load: str, active: str, sub: str, restarts: int) -> ServiceState:
    if load in ("not-found", "masked", ""):
        return ServiceState.ABSENT
    # "active (running)" proves little: kubelet may end the process seconds after READY=1, again and again.
    if restarts >= CRASH_LOOP or active == "failed":
        return ServiceState.FAILING
    if active == "activating":
        return ServiceState.FAILING if sub == "auto-restart" else ServiceState.STARTING
    return {"active": ServiceState.RUNNING, "inactive": ServiceState.STOPPED}.get(
        active, ServiceState.UNKNOWN
    )
