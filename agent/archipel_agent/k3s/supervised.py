"""k3s without systemd (containers, tests, the demo): a process that outlives the agent and is found again.

Its pid and start time are recorded in the runtime directory; its output goes to a file. When it ends while it should
run, the agent's next turn starts it again; without the agent nobody does, which is why surfaces label this mode.
"""

import json
import threading
from pathlib import Path
from typing import TypeVar

from archipel_agent.host.clock import text as time_text
from archipel_agent.host.process import ProcessId, alive_seconds, await_group_gone, end, identify, started_at
from archipel_agent.host.run import spawn_detached
from archipel_agent.k3s.systemd import CRASH_LOOP, STABLE_SECONDS
from archipel_agent.ports import CommandFailed, Disk, UnitSpec
from archipel_contract.status import K3sStatus, ServiceState

T = TypeVar("T")

STOP_SECONDS = 30.0
GROUP_SECONDS = 5.0  # for the children of k3s, which end with it
LOG_LIMIT = 20 << 20  # bytes; at a start beyond it the log becomes k3s.log.1
TAIL_BYTES_PER_LINE = 400


class SupervisedKeeper:
    """The service side of K3sHost without systemd."""

    name = "supervised"

    def __init__(self, disk: Disk, runtime: Path, state: Path, log: Path) -> None:
        """Record the process in `runtime`, the wish that it runs in `state`, its output in `log`."""
        self._disk = disk
        self._record = runtime / "k3s.json"  # how often it was started
        self._pid = runtime / "k3s.pid"  # which process it is, written by that process
        self._service = state / "k3s-service.json"
        self._log = log
        self._lock = threading.Lock()  # a turn and a job may start and stop at the same time

    def unpack(self, binary: Path) -> bool:
        """Nothing outlives the agent here that could: its start unpacks it."""
        return False

    def installed(self, spec: UnitSpec) -> bool:
        """Whether the service is recorded exactly so."""
        return self._spec() == list(spec.argv)

    def install(self, spec: UnitSpec) -> None:
        """Record the command line."""
        self._disk.write(self._service, json.dumps(list(spec.argv)).encode(), 0o600)

    def remove(self) -> None:
        """Forget the command line."""
        self._disk.remove(self._service)
        self._forget()

    def start(self) -> None:
        """Start k3s unless it runs."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        argv = self._spec()
        if not argv:
            raise CommandFailed("k3s cannot be started: it has not been set up here")
        if self._process():
            return
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        self._disk.make_directory(self._record.parent)
        self._disk.write(self._record, json.dumps({"starts": self._starts() + 1}).encode(), 0o600)
        spawn_detached(argv, self._log, record=self._pid)

    def stop(self) -> None:
        """Stop the k3s process; a later start counts from zero."""
        with self._lock:
            process = self._process()
            if process:
                end(process, STOP_SECONDS)
                await_group_gone(process, GROUP_SECONDS)
            self._forget()

    def status(self) -> K3sStatus:
        """Return how the process stands."""
        if not self._spec():
            return K3sStatus(state=ServiceState.ABSENT, kept_by=self.name)
        restarts = max(0, self._starts() - 1)
        process = self._process()
        if process is None:
            state = ServiceState.FAILING if self._starts() else ServiceState.STOPPED
            return K3sStatus(state=state, restarts=restarts, kept_by=self.name)
        failing = restarts >= CRASH_LOOP and alive_seconds(process) < STABLE_SECONDS
        return K3sStatus(
            state=ServiceState.FAILING if failing else ServiceState.RUNNING,
            pid=process.pid,
            started_at=time_text(started_at(process)),
            restarts=restarts,
            kept_by=self.name,
        )

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last lines of the log file."""
        try:
            with self._log.open("rb") as readable:
                readable.seek(max(0, self._log.stat().st_size - lines * TAIL_BYTES_PER_LINE))
                return tuple(readable.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ()

    def _spec(self) -> list[str]:
        words: list[str] = self._json(self._service, [])
        return words

    def _starts(self) -> int:
        """Return how often it was started since it was last stopped."""
        record: dict[str, int] = self._json(self._record, {})
        return int(record.get("starts", 0))

    def _forget(self) -> None:
        self._disk.remove(self._pid)
        self._disk.remove(self._record)

    def _json(self, path: Path, otherwise: T) -> T:
        try:
            return json.loads(self._disk.read(path))  # type: ignore[no-any-return]  # our own file, written above
        except (OSError, ValueError):
            return otherwise

    def _process(self) -> ProcessId | None:
        """Return the recorded process if it is the very one that lives now."""
        try:
            pid, ticks = self._disk.read(self._pid).split()
        except (OSError, ValueError):
            return None
        process = identify(int(pid))
        return process if process and process.start_ticks == int(ticks) else None
