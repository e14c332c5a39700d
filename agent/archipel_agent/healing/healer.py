"""Tries what `decide` says, as a job like any other: journalled, shown, resumed after a cut. Made at the first trouble.

What was tried is kept before it is begun, so that neither a crash of the agent nor a power cut makes it forget. Nothing is
written while nothing changes.
"""

import json
import logging
from collections.abc import Callable

from archipel_agent.healing.decide import Decision, History, Repair, Seen, decide, rebooted
from archipel_agent.observe import HEALING_STOPPED
from archipel_agent.ports import Ports
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_contract.findings import Severity
from archipel_contract.jobs import JobRequest, Verb
from archipel_contract.site import Desired
from archipel_contract.status import Health, Report, ServiceState

LOG = logging.getLogger(__name__)
KEPT_AS = "healing"
BOOT = "kernel.random.boot_id"
ASKED_BY = "self-healing"
NOBODYS = ["programs", "journal", "logs"]  # kinds of steps.repair_disk that no person could miss

# What may be tried about which finding, causes before what follows from them. Nothing here loses anything of a site.
REPAIRS = (
    Repair(code="k3s-files-empty", patience=30.0, verb=Verb.FIX, options={"code": "k3s-files-empty"}),
    Repair(code="k3s-bundle-damaged", patience=60.0, verb=Verb.FIX, options={"code": "k3s-bundle-damaged"}),
    *(
        Repair(code=code, patience=60.0, verb=Verb.FIX, options={"code": code, "free": NOBODYS})
        for code in ("disk-full", "disk-pressure")
    ),
    # systemd, or a turn, starts a k3s that has ended; one that lives and does not answer is started by nobody else.
    *(
        Repair(code=code, patience=300.0, verb=Verb.RESTART, options={})
        for code in ("api-unreachable", "api-not-ready", "k3s-crash-loop", "k3s-crash-loop-silent")
    ),
)


class Healer:
    """Looks at each report."""

    def __init__(
        self,
        ports: Ports,
        store: Store,
        settings: Settings,
        begin: Callable[[JobRequest, str], object],
        note: Callable[[str, str], None],
    ) -> None:
        """`begin` starts a job (request, who asks); `note` takes an outcome and a finding for the audit journal."""
        self._clock = ports.clock
        self._store = store
        self._limit = int(settings.self_healing_per_hour)
        self._wished = settings.self_healing == "on"
        self._begin = begin
        self._note = note
        self._boot = ports.machine.kernel_setting(BOOT) or ""
        self._since: dict[str, float] = {}
        self._history = self._remembered()

    def look(self, report: Report, is_working: bool) -> None:
        """Judge one report; begin a repair, stop, or do nothing."""
        now = self._clock.monotonic()
        if is_working:  # what the report found is from before the job
            self._since.clear()
        seen = self._seen(report, is_working, now)
        decision = decide(seen, self._history, self._limit, now)
        if decision != Decision(history=self._history):
            self._follow(decision)

    def _seen(self, report: Report, is_working: bool, now: float) -> Seen:
        codes = {one.code for one in report.findings}
        self._since = {code: self._since.get(code, now) for code in codes}
        wrong = any(one.severity is Severity.PROBLEM for one in report.findings)
        site, state = report.site, report.node.k3s.state
        should_run = site is not None and site.desired is Desired.RUNNING
        # A k3s that somebody stopped by hand stays stopped.
        does_run = state in (ServiceState.RUNNING, ServiceState.FAILING)
        return Seen(
            repairs=tuple((self._since[one.code], one) for one in REPAIRS if one.code in codes),
            is_good=report.health is Health.HEALTHY and not wrong and not is_working,
            may_act=self._wished and should_run and does_run and not is_working,
        )

    def _follow(self, decision: Decision) -> None:
        before, self._history = self._history, decision.history
        if (before.tried, before.stopped) != (self._history.tried, self._history.stopped):
            self._keep()
        if self._history.stopped != before.stopped:
            self._note(
                "stopped" if self._history.stopped else "resumed", self._history.stopped or before.stopped
            )
        if decision.begin is not None:
            self._try(decision.begin)

    def _try(self, repair: Repair) -> None:
        LOG.warning("tries to repair %s by itself (%s)", repair.code, repair.verb)
        self._note("tried", repair.code)
        self._begin(JobRequest(verb=Verb(repair.verb), options=dict(repair.options)), ASKED_BY)

    def _keep(self) -> None:
        tried, stopped = self._history.tried, self._history.stopped
        kept = (
            json.dumps({"boot": self._boot, "tried": tried, "stopped": stopped}) if tried or stopped else None
        )
        self._store.keep(**{KEPT_AS: kept, HEALING_STOPPED: stopped or None})

    def _remembered(self) -> History:
        kept = self._store.value(KEPT_AS)
        if kept is None:
            return History()
        told = json.loads(kept)
        history = History(tried=tuple(told["tried"]), stopped=told["stopped"])
        # A clock that stands before what it once timed has begun anew, whatever the kernel calls this boot.
        is_later = all(one <= self._clock.monotonic() for one in history.tried)
        return history if told["boot"] == self._boot and is_later else rebooted(history)
