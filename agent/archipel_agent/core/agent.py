"""The whole agent without its doors to the outside: takes turns, keeps the last report, tells whoever watches.

Made by `compose`; turned by the daemon, asked by the API server and by commands that look for themselves.
"""

import functools
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from archipel_agent import clocks
from archipel_agent.backup import record as backups
from archipel_agent.checks.base import BackupSeen, Phase
from archipel_agent.core.enrolling import Enrolling
from archipel_agent.core.telling import Telling
from archipel_agent.core.unasked import PlannedBackups, SelfHealing
from archipel_agent.core.working import Working
from archipel_agent.jobs.manager import JobManager
from archipel_agent.journal import AGENT
from archipel_agent.k3s import restarts
from archipel_agent.observe import World
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Ports
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_agent.steps.options import Options
from archipel_agent.turn import Turner
from archipel_agent.upkeep import Upkeep
from archipel_contract import __version__
from archipel_contract.api import Checks, ClockWish
from archipel_contract.jobs import Verb
from archipel_contract.status import LinkMode, LinkState, LinkStatus, Report

LOG = logging.getLogger(__name__)


class Core(Working, Enrolling, Telling):
    """See `service.AgentService`."""

    def __init__(
        self,
        ports: Ports,
        paths: Paths,
        settings: Settings,
        node_id: str,
        store: Store | None,
        unusable: StateUnusable | None = None,
        settings_problem: str = "",
    ) -> None:
        """`store` is None when the state cannot be used, `unusable` then says why."""
        super().__init__(ports, paths, settings, node_id, store, unusable)
        problem = f"{unusable.code}: {unusable}" if unusable else ""
        # Replaced by whoever makes the link. Without one (a command that looks by itself) nothing is known of a link.
        self.link_status: Callable[[], LinkStatus] = functools.partial(_unknown_link, settings)
        self.upkeep = Upkeep(ports, paths, settings, store, self._note_power)
        self._backups = PlannedBackups(settings, store, ports, node_id, self.start_job) if store else None
        self._world = World(
            paths=paths,
            store=store,
            state_problem=problem,
            settings_problem=settings_problem,
            node_id=node_id,
            restart_window=restarts.window(settings.restart_window),
            link=lambda: self.link_status(),
            enrolment=self.enrolment,
            backup=self._backups.seen if self._backups is not None else _no_backups,
            answers=lambda: self.answers_status(),
            upkeep=self.upkeep,
        )
        self._turner = Turner(ports, self._world, node_id, lambda: not self._is_busy())
        self._turning = threading.Lock()
        self._healing = (
            SelfHealing(settings, store, ports, self.start_job, self._note_healing) if store else None
        )
        self._wakes: list[Callable[[], None]] = []
        self.when_over: Callable[[], None] = _nobody
        # Set, like link_status, by whoever makes the link.
        self.when_reported: Callable[[Report], None] = _unheard
        pattern = self._context(Verb.UP, Options()) if store else None
        self.manager = JobManager(pattern, self.wake, lambda: self.when_over()) if pattern else None

    # What the daemon uses.

    def turn(self, close: bool = False) -> Report:
        """Take a turn and keep its report."""
        job = self._job_now()
        with self._turning:
            report = self._turner.turn(job=job, close=close, watched=self.watched)
            is_first, self._report = self._report is None, report
        if is_first:
            self._note(AGENT, "start", "", f"archipel {__version__}")
            if self._world.settings_problem:
                self._note(AGENT, "settings", "refused", self._world.settings_problem)
        for one in report.did:
            self._note(AGENT, "k3s", "done", one)
        self.when_reported(report)
        if self._backups is not None:
            self._backups.look(self._is_busy())
        if self._healing is not None:
            self._healing.look(report, self._is_busy())
        self.wake()
        return report

    def _job_now(self) -> str:
        """Return the id of the job that runs; empty if none does."""
        running = self.manager.running() if self.manager else None
        return running.id if running else ""

    def _note_power(self, outcome: str, detail: str) -> None:
        self._note(AGENT, "power", outcome, detail)

    def _note_healing(self, outcome: str, code: str) -> None:
        self._note(AGENT, "healing", outcome, code)

    def wake(self) -> None:
        """Tell whoever watches that something changed."""
        for one in tuple(self._wakes):
            one()

    @property
    def rests(self) -> bool:
        """Whether a turn now would surely find what the last one found; nobody watches and no job runs."""
        if self.watched or self._is_busy():
            return False
        with self._turning:
            return self._turner.is_still(self.settings.metrics_every)  # each point needs a sample

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._wakes)

    # What takes a turn, or follows them.

    def report(self, fresh: bool) -> Report:
        """Return the last report, or take a turn first; one from before a job began or ended is not given out."""
        last = self._report
        if fresh or last is None or last.job != self._job_now():
            last = self.turn(close=fresh)
        standing = backups.standing(self.store, self.settings.backup_to)
        # Who has just been told that the machine is enrolled reads it here as well, before the next turn.
        return replace(last, backup=standing, enrolment=self.enrolment())

    def checks(self) -> Checks:
        """Run every check of the present phase."""
        with self._turning:
            self.upkeep.look_thoroughly()
            evidence = self._turner.look_closely()
        phase = Phase.RUNTIME if evidence.site else Phase.PREFLIGHT
        return Checks(phase=phase.value, results=self._turner.results)

    def set_clock(self, wish: ClockWish, asked_by: str) -> Report:
        """Set the clock by hand and take a turn."""
        try:
            at = datetime.fromisoformat(wish.at)
            if at.tzinfo is None:
                raise ValueError("it names no zone")
            clocks.put_right(self.store, self.ports, at.astimezone(UTC))
        except ValueError as error:
            raise Refused(400, "time-invalid", f"{wish.at[:40]!r} is no time: {error}") from error
        except clocks.ClockKept as error:
            raise Refused(
                409, "clock-kept", str(error), "See what is known of the time: archipel clock show"
            ) from error
        except (CommandFailed, OSError) as error:
            raise Refused(503, "clock-not-set", f"the clock could not be set: {error}") from error
        LOG.warning("%s set the clock to %s", asked_by, wish.at)
        self._note(f"local:{asked_by}", "clock:set", "done", wish.at)
        return self.turn(close=True)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever the report or a job changed; returns the way out."""
        self._wakes.append(wake)
        return lambda: self._wakes.remove(wake)


def _unknown_link(settings: Settings) -> LinkStatus:
    if not settings.broker:
        return LinkStatus()
    return LinkStatus(mode=LinkMode(settings.link_mode), state=LinkState.UNKNOWN)


def _no_backups() -> BackupSeen:
    """Nothing is planned where nothing can be remembered."""
    return BackupSeen(planned=False)


def _unheard(report: Report) -> None:
    """No fleet wants to know."""


def _nobody() -> None:
    """Nobody waits for the end of jobs."""
