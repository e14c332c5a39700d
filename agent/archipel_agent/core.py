"""The agent as its API sees it: implements `service.AgentService` over turns, jobs and the store.

Works without a usable state database too: looking goes on, jobs are refused with the reason.
"""

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent import clocks
from archipel_agent.backup import record as backups
from archipel_agent.checks.base import BackupSeen, Phase
from archipel_agent.jobs.manager import JobManager
from archipel_agent.jobs.planning import plan_of
from archipel_agent.journal import AGENT, Journal
from archipel_agent.k3s import restarts
from archipel_agent.observe import World, asking, gather
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Enrolment, Ports
from archipel_agent.redact import redact_lines
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import OptionInvalid, Options, parse
from archipel_agent.steps.story import story
from archipel_agent.turn import Turner
from archipel_agent.upkeep import Upkeep
from archipel_contract import __version__
from archipel_contract.answers import AnswersStatus, AnswersWish
from archipel_contract.api import (
    API_VERSION,
    AccessRole,
    Alive,
    AuditPage,
    Checks,
    ClockWish,
    EnrolmentWish,
    Jobs,
    Kubeconfig,
    LogLines,
    VoucherGiven,
    VoucherRequest,
    VoucherWish,
)
from archipel_contract.catalogue import finding
from archipel_contract.facts import ClockQuality, NodeFacts
from archipel_contract.jobs import Job, JobEvent, JobRequest, Plan, Verb
from archipel_contract.site import SiteDocument
from archipel_contract.status import EnrolmentStatus, Health, LinkMode, LinkState, LinkStatus, Report

if TYPE_CHECKING:
    from archipel_agent.backup.due import Schedule
    from archipel_agent.healing.healer import Healer

LOG = logging.getLogger(__name__)
LINES_ALLOWED = 2000
AGENT_UNIT = "archipel-agent.service"


def _unanswering(path: Path) -> AnswersStatus:
    """Nobody applies answer files here."""
    raise Refused(503, "no-answers", f"{path} cannot be applied: nobody does it here.", "sudo archipel up")


class _Jobs:
    """The part of the agent that plans, starts and follows jobs."""

    ports: Ports
    paths: Paths
    settings: Settings
    node_id: str
    store: Store | None
    journal: Journal | None
    manager: JobManager | None
    _unusable: StateUnusable | None
    _world: World

    def _context(self, verb: Verb, options: Options) -> Context:
        assert self.store is not None  # only called with a usable state
        return Context(
            verb=verb,
            options=options,
            ports=self.ports,
            paths=self.paths,
            settings=self.settings,
            store=self.store,
            node_id=self.node_id,
            settings_problem=self._world.settings_problem,
        )

    def plan(self, request: JobRequest) -> Plan:
        """Ask each step whether it is needed; nothing is changed."""
        options = _options(request)
        if self.store is None:
            raise _no_state(self._unusable)
        context = self._context(request.verb, options)
        world = asking(self._world, self.ports) if request.verb is Verb.UP else self._world
        evidence = gather(self.ports, world, options.wishes)
        return plan_of(story(request.verb, options), context, evidence)

    def jobs(self) -> Jobs:
        """Return the jobs this machine remembers."""
        return Jobs(jobs=self.manager.jobs() if self.manager else ())

    def start_job(self, request: JobRequest, asked_by: str) -> Job:
        """Start a job."""
        if self.manager is None:
            raise _no_state(self._unusable)
        try:
            job = self.manager.start(request, asked_by)
        except StateUnusable as error:  # since the start of the agent: a disk that has filled up
            raise _no_state(error) from error
        if self.journal is not None:
            actor = asked_by if asked_by.startswith("fleet:") else f"local:{asked_by}"
            options = {name: str(value) for name, value in request.options.items()}
            self.journal.note(actor, f"job:{request.verb}", "started", job=job.id, **options)
        return job

    def job(self, job_id: str) -> Job:
        """Return one job."""
        return self._jobs().job(job_id)

    def job_events(self, job_id: str, after: int) -> tuple[JobEvent, ...]:
        """Return the job's events beyond `after`."""
        return self._jobs().events(job_id, after)

    def cancel_job(self, job_id: str) -> Job:
        """Ask a running job to stop and undo."""
        return self._jobs().cancel(job_id)

    def _jobs(self) -> JobManager:
        if self.manager is None:
            raise _no_state(self._unusable)
        return self.manager


class _Enrolling:
    """The part of the agent that belongs to a fleet, or comes to."""

    store: Store | None
    journal: Journal | None
    way_in: Enrolment | None
    """Replaced by whoever makes the link; without it (a command that looks by itself) nothing is known of a fleet."""

    def enrolment(self) -> EnrolmentStatus:
        """Return how this machine stands with its fleet."""
        return self.way_in.status() if self.way_in is not None else EnrolmentStatus()

    def enrol(self, wish: EnrolmentWish, asked_by: str) -> EnrolmentStatus:
        """Begin to enrol."""
        status = self._way_in().invite(wish.link, wish.again)
        if self.journal is not None:
            self.journal.note(f"local:{asked_by}", "enrol", "started", address=status.address)
        return status

    def leave_fleet(self, asked_by: str) -> EnrolmentStatus:
        """Leave the fleet; what it had ordered is forgotten with it."""
        way_in = self._way_in()
        before = way_in.status()
        way_in.leave()
        if self.store is not None:
            self.store.orders.left()
        LOG.warning("%s had this machine leave its fleet", asked_by)
        if self.journal is not None:
            self.journal.note(f"local:{asked_by}", "fleet", "left", address=before.address)
        return way_in.status()

    def voucher_request(self) -> VoucherRequest:
        """Return what another node has to know to vouch for this one."""
        return self._way_in().request()

    def vouch(self, wish: VoucherWish, asked_by: str) -> VoucherGiven:
        """Vouch for another machine of this site."""
        given = self._way_in().vouch(wish)
        if self.journal is not None:
            self.journal.note(
                f"local:{asked_by}", "vouch", "done", node=given.node_id, key=wish.request.key_id
            )
        return given

    def _way_in(self) -> Enrolment:
        if self.way_in is None:
            raise Refused(
                503, "no-state", "This machine cannot enrol: its state cannot be used.", "archipel doctor"
            )
        return self.way_in


class _Answering:
    """The part of the agent that answer files are asked about."""

    journal: Journal | None
    answers_status: Callable[[], AnswersStatus] = AnswersStatus
    """Replaced, as the next, by whoever looks for answer files."""
    answers_apply: Callable[[Path], AnswersStatus] = staticmethod(_unanswering)

    def answers(self) -> AnswersStatus:
        """Return how the answer file stands."""
        return self.answers_status()

    def apply_answers(self, wish: AnswersWish, asked_by: str) -> AnswersStatus:
        """Apply an answer file that somebody names."""
        if self.journal is not None:
            self.journal.note(f"local:{asked_by}", "answers:apply", "asked", wish.path)
        return self.answers_apply(Path(wish.path))


class _Healing(_Jobs):
    """The part of the agent that repairs by itself what it may."""

    journal: Journal | None
    _healer: "Healer | None" = None
    _has_healed: bool | None = (
        None  # whether anything was tried before this agent began; None: not looked yet
    )

    def _may_act(self) -> bool:
        """Whether a turn may start or end k3s now: a job that runs does so itself."""
        return self.manager is None or self.manager.running() is None

    def _heal(self, report: Report) -> None:
        """Have what is wrong repaired where that is allowed; nothing is even loaded before the first trouble."""
        if self.store is None or self.manager is None:
            return
        if report.site is not None and report.site.adopted:  # nobody asked us to try anything on it
            return
        if self._has_healed is None:
            self._has_healed = self.store.value("healing") is not None
        if self._healer is None:
            if not self._has_healed and report.health is not Health.UNHEALTHY:
                return
            from archipel_agent.healing.healer import Healer  # noqa: PLC0415  # see above

            self._healer = Healer(self.ports, self.store, self.settings, self.start_job, self._note_healing)
        with contextlib.suppress(Refused, StateUnusable):
            self._healer.look(report, self.manager.running() is not None)

    def _note_healing(self, outcome: str, code: str) -> None:
        if self.journal is not None:
            self.journal.note(AGENT, "healing", outcome, code)


class Core(_Healing, _Enrolling, _Answering):
    """The agent without its doors to the outside."""

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
        self.ports = ports
        self.paths = paths
        self.settings = settings
        self.node_id = node_id
        self.store = store
        self._unusable = unusable
        problem = f"{unusable.code}: {unusable}" if unusable else ""
        # Replaced by whoever makes the link. Without one (a command that looks by itself) nothing is known of a link.
        self.link_status: Callable[[], LinkStatus] = functools.partial(_unknown_link, settings)
        self.way_in = None
        self.upkeep = Upkeep(ports, paths, settings, store, self._note_power)
        world = World(
            paths=paths,
            store=store,
            state_problem=problem,
            settings_problem=settings_problem,
            node_id=node_id,
            restart_window=restarts.window(settings.restart_window),
            link=lambda: self.link_status(),
            enrolment=self.enrolment,
            backup=lambda: self._backups.seen() if self._backups is not None else BackupSeen(planned=False),
            answers=lambda: self.answers_status(),
            upkeep=self.upkeep,
        )
        self._world = world
        plans_backups = store if settings.backup_to else None
        self._backups = _schedule(settings, plans_backups, ports, node_id) if plans_backups else None
        self._turner = Turner(ports, world, node_id, self._may_act)
        self._turning = threading.Lock()
        self._report: Report | None = None
        self.journal = Journal(store.audit, ports.clock, self._clock_quality) if store else None
        self._wakes: list[Callable[[], None]] = []
        self.when_over: Callable[[], None] = _nobody
        # Set, like link_status, by whoever makes the link.
        self.when_reported: Callable[[Report], None] = _unheard
        pattern = self._context(Verb.UP, Options()) if store else None
        self.manager = JobManager(pattern, self.wake, lambda: self.when_over()) if pattern else None

    # What the daemon uses.

    def turn(self, close: bool = False) -> Report:
        """Take a turn and keep its report."""
        running = self.manager.running() if self.manager else None
        with self._turning:
            report = self._turner.turn(job=running.id if running else "", close=close, watched=self.watched)
            is_first, self._report = self._report is None, report
        if is_first and self.journal is not None:
            self.journal.note(AGENT, "start", detail=f"archipel {__version__}")
            if self._world.settings_problem:
                self.journal.note(AGENT, "settings", "refused", self._world.settings_problem)
        if self.journal is not None:
            for one in report.did:
                self.journal.note(AGENT, "k3s", "done", one)
        self.when_reported(report)
        self._back_up()
        self._heal(report)
        self.wake()
        return report

    def _back_up(self) -> None:
        """Begin a backup when one is due; next to nothing while none is."""
        if self._backups is None or self.store is None or not self._backups.is_due():
            return
        site = self.store.site()
        if self.manager is None or self.manager.running() is not None or site is None:
            return
        self._backups.begun()
        with contextlib.suppress(Refused):
            self.start_job(JobRequest(verb=Verb.BACKUP), "schedule")

    def _note_power(self, outcome: str, detail: str) -> None:
        if self.journal is not None:
            self.journal.note(AGENT, "power", outcome, detail)

    def wake(self) -> None:
        """Tell whoever watches that something changed."""
        for one in tuple(self._wakes):
            one()

    @property
    def rests(self) -> bool:
        """Whether a turn now would surely find what the last one found; nobody watches and no job runs."""
        if self.watched or (self.manager is not None and self.manager.running() is not None):
            return False
        with self._turning:
            return self._turner.is_still(self.settings.metrics_every)  # each point needs a sample

    def _clock_quality(self) -> ClockQuality:
        return self._report.node.clock if self._report is not None else ClockQuality.UNKNOWN

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._wakes)

    # AgentService.

    def alive(self, role: AccessRole) -> Alive:
        """Return who answers."""
        return Alive(
            agent_version=__version__,
            api_version=API_VERSION,
            pid=os.getpid(),
            node_id=self.node_id,
            role=int(role),
            rehearsed=self.ports.rehearsed,
        )

    def report(self, fresh: bool) -> Report:
        """Return the last report, or take a turn first; one from before a job began or ended is not given out."""
        running = self.manager.running() if self.manager else None
        last = self._report
        if fresh or last is None or last.job != (running.id if running else ""):
            last = self.turn(close=fresh)
        standing = backups.standing(self.store, self.settings.backup_to)
        # Who has just been told that the machine is enrolled reads it here as well, before the next turn.
        return replace(last, backup=standing, enrolment=self.enrolment())

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        return self.ports.machine.facts()

    def site(self) -> SiteDocument:
        """Return the document in force."""
        document = self.store.site() if self.store else None
        if document is None:
            raise Refused(404, "not-set-up", "This machine is not a site yet.", "sudo archipel up")
        return document

    def checks(self) -> Checks:
        """Run every check of the present phase."""
        with self._turning:
            self.upkeep.look_thoroughly()
            evidence = self._turner.look_closely()
        phase = Phase.RUNTIME if evidence.site else Phase.PREFLIGHT
        return Checks(phase=phase.value, results=self._turner.results)

    def logs(self, source: str, lines: int) -> LogLines:
        """Return the last lines of k3s or of the agent, redacted."""
        if not 1 <= lines <= LINES_ALLOWED:
            raise Refused(400, "lines-invalid", f"lines must be 1 to {LINES_ALLOWED}.", "")
        if source == "k3s":
            found = self.ports.k3s.log(lines)
        elif source == "agent":
            found = _own_log(self.ports, self.paths, lines)
        else:
            raise Refused(404, "no-such-log", f"There is no log {source!r}; there are k3s and agent.", "")
        secrets = self.store.tokens() if self.store else ()
        return LogLines(source=source, lines=redact_lines(found, secrets))

    def audit(self, lines: int, verify: bool) -> AuditPage:
        """Return the end of the audit journal."""
        if self.journal is None:
            raise _no_state(self._unusable)
        try:
            return self.journal.page(lines, verify)
        except StateUnusable as error:
            raise _no_state(error) from error

    def kubeconfig(self) -> Kubeconfig:
        """Return the administrator's kubeconfig."""
        path = self.paths.kubeconfig
        if not self.ports.disk.exists(path):
            raise Refused(404, "no-kubeconfig", "k3s has not written a kubeconfig yet.", "sudo archipel up")
        return Kubeconfig(path=str(path), content=self.ports.disk.read(path).decode())

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
            raise Refused(409, "clock-kept", str(error), "archipel clock show") from error
        except (CommandFailed, OSError) as error:
            raise Refused(503, "clock-not-set", f"the clock could not be set: {error}") from error
        LOG.warning("%s set the clock to %s", asked_by, wish.at)
        if self.journal is not None:
            self.journal.note(f"local:{asked_by}", "clock:set", "done", wish.at)
        return self.turn(close=True)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever the report or a job changed; returns the way out."""
        self._wakes.append(wake)
        return lambda: self._wakes.remove(wake)


def _unknown_link(settings: Settings) -> LinkStatus:
    if not settings.broker:
        return LinkStatus()
    return LinkStatus(mode=LinkMode(settings.link_mode), state=LinkState.UNKNOWN)


def _schedule(settings: Settings, store: Store, ports: Ports, node_id: str) -> "Schedule":
    from archipel_agent.backup.due import Schedule  # noqa: PLC0415 - a site without a place for backups must not pay for it

    return Schedule(settings, store, ports.clock, node_id)


def _unheard(report: Report) -> None:
    """No fleet wants to know."""


def _nobody() -> None:
    """Nobody waits for the end of jobs."""


def _options(request: JobRequest) -> Options:
    try:
        return parse(request.verb, request.options)
    except OptionInvalid as error:
        raise Refused(400, "option-invalid", str(error), "See archipel --help.") from error


def _no_state(unusable: StateUnusable | None) -> Refused:
    assert unusable is not None  # set whenever there is no store
    why = finding(unusable.code, path=str(unusable.path), problem=unusable.detail, free="0 MB", share="0 %")
    return Refused(503, unusable.code, why.summary, why.next_step, why)


def _own_log(ports: Ports, paths: Paths, lines: int) -> tuple[str, ...]:
    log = paths.state / "log/agent.log"
    try:
        if ports.disk.exists(log):
            return tuple(ports.disk.read(log).decode(errors="replace").splitlines()[-lines:])
        argv = ["journalctl", "-u", AGENT_UNIT, "-o", "cat", "--no-pager", "-n", str(lines)]
        return tuple(ports.runner.run(argv, timeout=15.0).stdout.splitlines())
    except (CommandFailed, OSError):
        return ()
