"""Processes told apart by pid and start time, so that a recycled pid is never taken for the one we knew."""

import os
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil

from archipel_agent.host.hardware import text

TICKS = os.sysconf("SC_CLK_TCK")
SET_CLOCK = timedelta(
    seconds=2
)  # a wall clock that is only disciplined differs by less from one turn to the next
DEAD_STATES = "ZX"  # proc_pid_stat(5): a zombie is gone for our purposes, whether or not process 1 reaps it


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be mistaken for another: `start_ticks` are clock ticks since boot (field 22 of stat)."""

    pid: int
    start_ticks: int


def identify(pid: int) -> ProcessId | None:
    """Return the living process with this pid, None if there is none."""
    stat = text(f"/proc/{pid}/stat")
    if not stat:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the command name before may hold blanks and brackets
    return None if fields[0] in DEAD_STATES else ProcessId(pid, int(fields[19]))


def alive_seconds(process: ProcessId) -> float:
    """Return for how long the process has lived."""
    uptime = float(text("/proc/uptime").split()[0])
    return uptime - process.start_ticks / TICKS


class StartTimes:
    """When processes started, by the wall clock, and the same at every question.

    Computed anew it would differ by hundredths of a second, and for one process in fifty the full second would change in
    every turn. Only a wall clock that was set changes an answer.
    """

    MOST = 16

    def __init__(self) -> None:
        self._told: dict[ProcessId, datetime] = {}

    def of(self, process: ProcessId, computed: datetime) -> datetime:
        """Return what was told before, unless the wall clock was set since."""
        told = self._told.get(process)
        if told is None or abs(computed - told) >= SET_CLOCK:
            if len(self._told) >= self.MOST:
                self._told.clear()
            told = self._told[process] = computed
        return told


_TIMES = StartTimes()


def started_at(process: ProcessId) -> datetime:
    """Return when the process started, by the present wall clock."""
    return _TIMES.of(process, datetime.now(UTC) - timedelta(seconds=alive_seconds(process)))


def end(process: ProcessId, grace_seconds: float) -> bool:
    """End a process with SIGTERM, after the grace with SIGKILL; True once it is gone (always, but for the kernel)."""
    for sign, patience in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        if identify(process.pid) != process:
            return True
        try:
            os.kill(process.pid, sign)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if identify(process.pid) != process:
                return True
            time.sleep(0.05)
    return identify(process.pid) != process


def await_group_gone(process: ProcessId, patience_seconds: float) -> None:
    """Wait until nothing is left of the process group that a process led, but no longer than that.

    What it started may live some moments longer, and hold ports that the next one needs.
    """
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def programs() -> tuple[tuple[int, str], ...]:
    """Return (pid, program file) of every process, by pid; the first word of its command line where the file is hidden."""
    found = []
    for process in psutil.process_iter(["exe", "cmdline"]):
        program = process.info["exe"] or (process.info["cmdline"] or [""])[0]
        found.append((process.pid, program))
    return tuple(sorted(found))


def end_tree(pid: int, patience_seconds: float = 10.0) -> None:
    """Kill a process and all below it at once, and wait until they are gone.

    For containerd's shims: ending only the shim would leave its containers to process 1.
    """
    try:
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + patience_seconds
    while any(identify(member) for member in family) and time.monotonic() < deadline:
        time.sleep(0.02)
