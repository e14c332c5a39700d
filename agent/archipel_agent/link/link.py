"""The link of one node: a thread that owns the carrier, and what the agent tells it and asks of it. Made by `compose`.

`note` is called after each turn and never waits for the network: it puts what happened into the outbox and wakes the thread
only when there is something to say. The thread sleeps in the carrier for as long as nothing is due.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from archipel_agent.link import diary, mirror
from archipel_agent.link.calls import Calls
from archipel_agent.link.core import LinkCore
from archipel_agent.link.engine import Budget
from archipel_agent.link.entries import Stamp
from archipel_agent.link.identity import LinkIdentity, Nobody
from archipel_agent.link.memory import Facts
from archipel_agent.link.outbox import OutboxUnusable
from archipel_agent.link.sampler import Sampler
from archipel_agent.link.schedule import FIRST_SPREAD, Schedule
from archipel_agent.link.session import Session, Surroundings
from archipel_agent.link.standing import Standing, bare
from archipel_agent.ports import Clock, Entropy
from archipel_contract.audit import AuditEntries
from archipel_contract.commands import Result
from archipel_contract.facts import ClockQuality
from archipel_contract.findings import Severity
from archipel_contract.jobs import Job
from archipel_contract.link.carrier import Carrier, CarrierFailed
from archipel_contract.link.messages import Event, EventKind, Hello, LinkPlan
from archipel_contract.status import LinkMode, LinkStatus, Report

LOG = logging.getLogger(__name__)
OFFLINE_SECONDS = 30.0  # until samples that cannot be sent go to the disk
QUIET_POINTS = 24  # samples held in memory between two planned calls
DEFECT_SECONDS = 30.0  # until the thread goes on after a defect
STOP_SECONDS = 10.0


def _no_job(job_id: str) -> Job | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkParts:
    """What a link is made of; `carrier` is called in the link's own thread."""

    node_id: str
    plan: LinkPlan
    broker: str
    clock: Clock
    entropy: Entropy
    facts: Facts
    outbox: Path
    carrier: Callable[[], Carrier]
    free_bytes: Callable[[], int | None] = lambda: None
    job: Callable[[str], Job | None] = _no_job
    """Return a job that is over, for how it ended."""
    budget: Budget = Budget()
    first_spread: float = FIRST_SPREAD
    identity: LinkIdentity = Nobody()
    holds: bool = False
    """Whether the line is kept between two calls of dial-in, where the way lets it live."""


class Link:
    """The link of one node to its fleet."""

    def __init__(self, parts: LinkParts) -> None:
        """Nothing is opened yet; see `start`."""
        self._parts = parts
        self._lock = threading.RLock()
        budget = replace(parts.budget, patience=float(parts.plan.patience))
        self._core = LinkCore(parts.facts, parts.entropy, parts.outbox, parts.free_bytes, budget)
        every = float(parts.plan.every) if parts.plan.mode is LinkMode.DIAL_IN else None
        self._schedule = Schedule(parts.node_id, every, self._core.random)
        self._calls = None
        if every is not None:
            self._calls = Calls(every, holds=parts.holds, lingers=parts.identity.lingers)
        self._sampler = Sampler(float(parts.plan.metrics_every))
        self._standing = Standing(parts.plan.mode, parts.broker, parts.clock)
        self._report: Report | None = None
        self._session: Session | None = None
        self._carrier: Carrier | None = None
        self._talking = self._core.generation
        self._offline_since: float | None = None
        self._stopping = threading.Event()
        self._noted = threading.Event()
        self._thread: threading.Thread | None = None

    # --- the agent's side --------------------------------------------------------------------------------------------

    def start(self, in_thread: bool = True) -> None:
        """Open the outbox and begin to connect; never fails, an outbox that cannot be opened is tried again.

        Without a thread of its own, somebody must call `step` again and again.
        """
        with self._lock:
            self._core.open(self._stamp(), self._parts.clock.monotonic())
            self._schedule.begin(self._parts.clock.monotonic(), self._parts.first_spread)
        if in_thread:
            self._begin_thread()

    def note(self, report: Report) -> None:
        """Take in what a turn reported; on disk when this returns, and said as soon as can be."""
        try:
            with self._lock:
                has_news = self._take(report)
        except Exception:  # the task boundary: a defect of the link must not end a turn
            LOG.exception("the link has a defect; the report is passed over")
            has_news = True
        self._noted.set()
        if self._thread is not None and not self._thread.is_alive() and not self._stopping.is_set():
            LOG.error("the link's thread had ended; beginning anew")
            self._begin_thread()
        if has_news:
            self.wake()

    def tell(self, *events: Event) -> None:
        """Put events into the outbox; on disk when this returns."""
        with self._lock:
            self._core.tell(events, self._stamp(), self._parts.clock.monotonic())
        self.wake()

    def say(self, *bodies: Result | AuditEntries) -> bool:
        """Put results or audit entries, all of one kind, into the outbox; on disk when this returns.

        False, and nothing was taken, while there is no room for them: say them again later.
        """
        with self._lock:
            now = self._parts.clock.monotonic()
            is_taken = self._core.say(bodies, self._stamp(), now)
            if is_taken and self._parts.plan.mode is LinkMode.DIAL_IN:
                self._schedule.hurry(now, _rests(self._session))  # somebody waits for it
        self.wake()
        return is_taken

    def results(self) -> tuple[int, int]:
        """Return how many bytes of results wait in the outbox, and how many more it takes."""
        with self._lock:
            return self._core.results()

    def status(self) -> LinkStatus:
        """Return how the link stands; cheap, never waits for the network."""
        with self._lock:
            status = self._standing.status(self._session, self._schedule, self._core)
        return replace(status, orders=self._parts.identity.status())

    def wake(self) -> None:
        """Have the thread look at once; from any thread."""
        carrier = self._carrier
        if carrier is not None:
            carrier.wake()

    def stop(self) -> None:
        """Say good-bye, keep what was not acknowledged, and end the thread."""
        self._stopping.set()
        self._noted.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            self._thread = None
        else:
            self._hang_up(orderly=True)
        with self._lock:
            self._core.close(self._stamp())

    def _take(self, report: Report) -> bool:
        before, self._report = self._report, report
        now, stamp = self._parts.clock.monotonic(), self._stamp()
        told = diary.events(before, report, self._ended(before, report))
        is_changed = before is None or bare(before) != bare(report)
        point = self._sampler.note(report, stamp.at, now)
        if told:
            self._core.tell(told, stamp, now)
        if is_changed:
            self._core.state_is(mirror.state(report))
        if point is not None:
            self._core.sampled(point, stamp)
        self._spill(stamp, now)
        if self._parts.plan.mode is LinkMode.DIAL_IN and any(map(_is_urgent, told)):
            self._schedule.hurry(now, _rests(self._session))
        return bool(told or is_changed or point)

    def _ended(self, before: Report | None, report: Report) -> tuple[Job, ...]:
        """Return the job that ended between two reports, if it is known how."""
        if before is None or not before.job or before.job == report.job:
            return ()
        job = self._parts.job(before.job)
        return (job,) if job is not None else ()

    def _spill(self, stamp: Stamp, now: float) -> None:
        """Write samples to the disk that have not been sent for too long."""
        session = self._session
        if session is not None and self._core.is_welcome and not session.is_resting:
            self._offline_since = None
            return
        if self._offline_since is None:
            self._offline_since = now
        is_quiet = session is not None and (not session.is_connected or session.is_resting)
        is_planned = is_quiet and self._schedule.is_planned
        if now - self._offline_since >= OFFLINE_SECONDS and (
            not is_planned or self._core.points >= QUIET_POINTS
        ):
            self._core.spill(stamp)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _begin_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
            except (
                Exception
            ):  # the task boundary: whatever is wrong with one conversation, the next may be well
                LOG.exception("the link has a defect; it begins anew")
                self._hang_up(orderly=False)
                self._stopping.wait(DEFECT_SECONDS)
        self._hang_up(orderly=True)

    def step(self) -> None:
        """Do one round of the conversation; waits until something is due."""
        if self._report is None:
            self._noted.wait()  # hello says what the first report says
            return
        if self._carrier is None:
            self._carrier = self._parts.carrier()
            if self._stopping.is_set():
                return  # `stop` found nobody to wake
        with self._lock:
            now = self._parts.clock.monotonic()
            if not self._core.open(self._stamp(), now):
                wait = self._core.retry_at - now
            else:
                wait = 0.0
                self._renew()
        if wait > 0:
            self._carrier.receive(wait)
        elif self._session is not None:
            try:
                self._session.step()
                self._look_back()
            except OutboxUnusable as error:
                with self._lock:
                    if (
                        self._talking == self._core.generation
                    ):  # else `note` noticed, and opened another already
                        self._core.broken(error)

    def _look_back(self) -> None:
        """Have the outage that is over now, if it was a long one, in the fleet's history."""
        with self._lock:
            stamp = self._stamp()
            for made, event in self._standing.outage(self._core.is_welcome, stamp, self._session):
                self._core.tell([event], made, self._parts.clock.monotonic())

    def _renew(self) -> None:
        """Have a session over the outbox as it is now; one that broke and was opened anew has new epochs."""
        if self._session is not None and self._talking == self._core.generation:
            return
        assert self._carrier is not None  # see step
        self._carrier.close(orderly=False)
        self._talking = self._core.generation
        self._session = Session(
            Surroundings(
                node_id=self._parts.node_id,
                calls=self._calls,
                clock=self._parts.clock,
                carrier=self._carrier,
                memory=self._core.memory,
                engine=self._core.engine,
                schedule=self._schedule,
                lock=self._lock,
                stamp=self._stamp,
                hello=self._hello,
                site_id=lambda: _site_of(self._report),
                identity=self._parts.identity,
            )
        )

    def _hang_up(self, orderly: bool) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if orderly:
                session.leave()
            elif self._carrier is not None:
                self._carrier.close(orderly=False)
        except (CarrierFailed, OSError) as error:
            LOG.warning("left without a word: %s", error)

    # --- what the session asks ---------------------------------------------------------------------------------------

    def _stamp(self) -> Stamp:
        clock, report = self._parts.clock, self._report
        return Stamp(
            at=int(clock.now().timestamp() * 1000),
            clock=report.node.clock if report is not None else ClockQuality.UNKNOWN,
            up=int(clock.monotonic() * 1000),
        )

    def _hello(self, connection: int) -> Hello:
        assert self._report is not None  # nothing is said before the first report
        core = self._core
        said = mirror.hello(
            self._report,
            connection=connection,
            epochs={str(int(lane)): epoch for lane, epoch in core.memory.epochs.items()},
            waiting={str(int(lane)): count for lane, (count, _) in core.waiting().items() if count},
            plan=self._parts.plan,
            state_hash=core.engine.states.hash,
            incarnation=core.engine.incarnation,
        )
        return self._parts.identity.complete(said)


def _site_of(report: Report | None) -> str:
    return report.site.site_id if report is not None and report.site is not None else ""


def _rests(session: Session | None) -> bool:
    return session is not None and session.is_resting


def _is_urgent(event: Event) -> bool:
    return event.kind is EventKind.FINDING_APPEARED and event.after == Severity.PROBLEM.value
