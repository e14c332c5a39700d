"""The life of the simulated k3s process: runs one after the other, each speaking from a recording, as systemd keeps it.

Used by the simulated world, which decides what a run meets. Everything is computed from the clock when somebody looks;
no thread, no timer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from archipel_agent.ports import Clock
from archipel_agent.rehearsal import recordings

RESTART_SECONDS = 5.0  # RestartSec of the unit we write
NEVER = float("inf")
FIRST_PID = 2001
RUNS_REMEMBERED = 4

# What a run has reached once a line with this text has appeared in its recording, and for what no line tells of, the
# seconds measured after the one before.
LISTENS = "Connecting to proxy"
DATASTORE = "Kine available"
KUBECONFIG = "Wrote kubeconfig"
READY = "Kube API server is now running"
REGISTERED = "Successfully registered node"
NODE_READY = "just became ready"
PODS_READY = "Observed pod startup"
PROBE_SECONDS = 10.0  # from a container's start until its readiness probe has passed
SERVES_AFTER_KUBECONFIG = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process: when it began, what it says, and when it ends by itself."""

    number: int
    began: float  # by the monotonic clock
    began_at: datetime
    recording: str
    pace: float
    node: str
    address: str
    ends: bool
    config: dict[str, object]  # as it was read when the process began
    effects_done: set[str] = field(default_factory=set)

    @property
    def pid(self) -> int:
        """The process id."""
        return FIRST_PID + self.number * 97

    def reaches(self, text: str) -> float:
        """Return when, by the monotonic clock, the recording comes to a line with `text`; NEVER if it does not."""
        return self.began + self.pace * recordings.log(self.recording).seconds_until(text, NEVER)

    @property
    def end(self) -> float:
        """When it ends by itself, by the monotonic clock."""
        return self.began + self.pace * recordings.log(self.recording).seconds if self.ends else NEVER

    def lines(self, now: float) -> tuple[str, ...]:
        """Return what it has said so far."""
        said = recordings.log(self.recording).count_until((now - self.began) / self.pace)
        whole = recordings.emitted(self.recording, self.began_at, self.pace, self.node, self.address)
        return whole[:said]


class Life:
    """k3s under systemd: asked to run or not, running, ended, or waiting to be started again."""

    def __init__(self, clock: Clock, begin: Callable[[int, float], Run]) -> None:
        """`begin(number, moment)` decides what the next run will meet."""
        self._clock = clock
        self._begin = begin
        self.asked = False
        self.restarts = 0
        self.run: Run | None = None  # the living process
        self._number = 0
        self._again_at = NEVER
        self._past: list[tuple[str, ...]] = []

    def start(self) -> None:
        """Start unless it runs; a start asked for counts restarts from zero."""
        if self.asked and self.run is not None:
            return
        self.asked, self.restarts = True, 0
        self._launch(self._clock.monotonic())

    def stop(self) -> None:
        """End the process and leave it so."""
        self.asked = False
        self._again_at = NEVER
        self.kill()

    def kill(self) -> None:
        """End the process; its service starts it again, if it is asked to run."""
        now = self._clock.monotonic()
        if self.run is not None:
            self._finish(self.run.lines(now))
            self._again_at = now + RESTART_SECONDS if self.asked else NEVER

    def lose_power(self) -> None:
        """Everything that lives is gone; the log stays, as a journal on disk does."""
        if self.run is not None:
            self._finish(self.run.lines(self._clock.monotonic()))
        self.asked, self.restarts, self._again_at = False, 0, NEVER

    def settle(self, effects: Callable[[Run, float], None]) -> None:
        """Bring everything up to the present: `effects(run, until)` does what a run has done by then."""
        now = self._clock.monotonic()
        while True:
            if self.run is not None:
                until = min(now, self.run.end)
                effects(self.run, until)
                if self.run.end > now:
                    return
                self._again_at = self.run.end + RESTART_SECONDS
                self._finish(self.run.lines(self.run.end))
            if not self.asked or self._again_at > now:
                return
            self.restarts += 1
            self._launch(self._again_at)

    def log(self, count: int) -> tuple[str, ...]:
        """Return the last lines of this and earlier runs."""
        lines = [line for past in self._past for line in past]
        if self.run is not None:
            lines += self.run.lines(self._clock.monotonic())
        return tuple(lines[-count:])

    def _launch(self, moment: float) -> None:
        self.run = self._begin(self._number, moment)
        self._number += 1
        self._again_at = NEVER

    def _finish(self, said: tuple[str, ...]) -> None:
        self._past = [*self._past, said][-RUNS_REMEMBERED:]
        self.run = None
