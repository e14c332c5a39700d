"""One turn: observe, plan, act, report; it returns the report, whose sentence says what was seen and done.

Idle turns take a glance; a closer look (logs, listeners, versions) is taken when something changed or is not OK, and
once an hour, because it costs processes and flash.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from archipel_agent import clocks, judge
from archipel_agent.checks import registry
from archipel_agent.checks.base import Evidence, Phase
from archipel_agent.host.clock import text
from archipel_agent.k3s import restarts
from archipel_agent.k3s.certificates import Certificate, first_to_end
from archipel_agent.k3s.view import ClusterView
from archipel_agent.observe import Lasting, World, gather, glance, with_certificates
from archipel_agent.plan import Act, Action, plan, plan_restart
from archipel_agent.ports import CommandFailed, Ports
from archipel_agent.state.database import StateUnusable
from archipel_contract import __version__
from archipel_contract.facts import ClockSource
from archipel_contract.findings import CheckResult, Finding, Severity
from archipel_contract.site import Role
from archipel_contract.status import (
    ClusterStatus,
    Condition,
    EnrolmentStatus,
    LinkStatus,
    NodeStatus,
    Report,
    ServiceState,
)

LOG = logging.getLogger(__name__)
CLOSE_LOOK_SECONDS = 3600.0
CLOSE_LOOK_TROUBLED_SECONDS = 30.0
CLOSE_LOOK_WARNED_SECONDS = 900.0  # warnings and hints hold for days, and a look costs as much as many turns
REST_SECONDS = 60.0  # while nothing moves; a disk that fills, and an API that hangs without a word, are noticed after this
LASTING_SECONDS = 60.0  # reading facts and kernel settings is half the cost of a turn; a changed pulse has them read at once


class Turner:
    """Takes turns, and remembers between them only what can be seen again."""

    def __init__(
        self, ports: Ports, world: World, node_id: str, may_act: Callable[[], bool] = lambda: True
    ) -> None:
        """Look at `world` through `ports`; `may_act` is asked once more right before k3s is started or ended."""
        self._ports = ports
        self._world = world
        self._node_id = node_id
        self._results: tuple[CheckResult, ...] = ()
        self._since: dict[str, str] = {}
        self._conditions: dict[str, Condition] = {}
        self._seen: tuple[object, ...] = ()
        self._looked: float | None = None
        self._known: tuple[float, Lasting] | None = None
        self._job = ""
        self._view = ClusterView(ports.kube, ports.clock)
        self._pulse: object = None
        self._started: datetime | None = None
        self._sentence = ""
        self._last: tuple[float, Evidence] | None = None
        self._certificates: tuple[Certificate, ...] | None = None  # as a closer look last read them
        self._may_act = may_act

    def is_still(self, longest: float = REST_SECONDS) -> bool:
        """Whether the last turn's report surely still holds: all was well, and nothing of what can be seen for next to
        nothing has moved since: the process of k3s, what its API has to tell, cables and routes, and the link.
        """
        if self._last is None or self._job:
            return False
        taken, seen = self._last
        now = self._ports.clock.monotonic()
        if (
            now - taken >= min(REST_SECONDS, longest)
            or self._looked is None
            or now - self._looked >= self._patience(seen)
        ):
            return False
        if any(one.severity is Severity.PROBLEM for one in self._findings()):
            return False
        return self._has_not_moved(seen)

    def _has_not_moved(self, seen: Evidence) -> bool:
        if judge.membership(self._world.enrolment()) != judge.membership(seen.enrolment):
            return False
        if self._world.answers() != seen.answers:
            return False
        upkeep = self._world.upkeep
        if upkeep is not None and (upkeep.ups(), upkeep.rounds.failing()) != (seen.ups, seen.failing):
            return False
        link = self._world.link()
        if seen.link is not None and (link.state, link.code) != (seen.link.state, seen.link.code):
            return False
        if seen.site is None or not self._view.is_quiet() or self._ports.machine.pulse() != self._pulse:
            return False
        k3s = self._ports.k3s.status()
        return k3s.state is ServiceState.RUNNING and k3s == replace(seen.k3s, version="")

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """What the checks said when they last looked."""
        return tuple(
            replace(
                one,
                findings=tuple(replace(each, since=self._since.get(each.code, "")) for each in one.findings),
            )
            if one.findings
            else one
            for one in self._results
        )

    def turn(self, job: str = "", close: bool = False, watched: bool = False) -> Report:
        """Take one turn; `job` is the id of the running job, `close` asks for a closer look.

        While somebody watches, what the machine is is read in every turn.
        """
        # A job may change what otherwise lasts, to the last moment before its end.
        known = None if watched or job or self._job else self._still_known()
        self._job = job
        evidence = glance(self._ports, self._world, known, self._view)
        if known is None:
            self._remember(evidence)
        local = self._ports.clock.now().astimezone()
        evidence = with_certificates(evidence, self._world, self._certificates, local)
        did = () if job else self._act(evidence, local)
        if close or self._needs_close_look(evidence, bool(job)):
            evidence = self.look_closely()
        self._last = (self._ports.clock.monotonic(), evidence)
        if self._world.store is not None and evidence.time is not None:
            clocks.raise_floor(self._world.store, evidence.time)
        return self._report(evidence, did, job)

    def look_closely(self) -> Evidence:
        """Run every check of the present phase on everything there is."""
        evidence = gather(self._ports, self._world)
        self._certificates = evidence.certificates
        self._remember(evidence)
        phase = Phase.RUNTIME if evidence.site else Phase.PREFLIGHT
        self._results = registry.look_all(evidence, phase)
        self._looked = self._ports.clock.monotonic()
        self._seen = judge.fingerprint(evidence)
        return evidence

    def _needs_close_look(self, evidence: Evidence, working: bool) -> bool:
        if working:
            return False  # the job looks for itself
        if self._looked is None or judge.fingerprint(evidence) != self._seen:
            return True
        return self._ports.clock.monotonic() - self._looked >= self._patience(evidence)

    def _patience(self, evidence: Evidence) -> float:
        """Return how many seconds a close look holds."""
        if evidence.site is None or not self._findings():
            return CLOSE_LOOK_SECONDS
        if any(one.severity is Severity.PROBLEM for one in self._findings()):
            return CLOSE_LOOK_TROUBLED_SECONDS
        return CLOSE_LOOK_WARNED_SECONDS

    def _remember(self, evidence: Evidence) -> None:
        lasting = Lasting(facts=evidence.facts, kernel_settings=evidence.kernel_settings)
        self._known = (self._ports.clock.monotonic(), lasting)

    def _still_known(self) -> Lasting | None:
        """Return what was read in the last turns while it is fresh."""
        pulse = self._ports.machine.pulse()
        is_old = self._known is not None and self._ports.clock.monotonic() - self._known[0] >= LASTING_SECONDS
        if is_old or pulse != self._pulse:
            self._known = None
        self._pulse = pulse
        return self._known[1] if self._known else None

    def _act(self, evidence: Evidence, local: datetime) -> tuple[str, ...]:
        site = self._world.store.site() if self._world.store else None
        actions = plan(site, evidence.k3s, self._started, evidence.now)
        first, store, time = first_to_end(evidence.certificates or ()), self._world.store, evidence.time
        if not actions and first is not None and store is not None and time is not None and time.checks_dates:
            memory = restarts.note(store, first.ends, time.now)
            actions = plan_restart(evidence, memory, self._world.restart_window, self._node_id, local)
        return tuple(self._do(action, evidence) for action in actions)

    def _do(self, action: Action, evidence: Evidence) -> str:
        if not self._may_act():  # a job has begun since this turn did, and k3s is its to start
            return "left k3s to the job"
        again = action.act is Act.RESTART_K3S
        first, store = first_to_end(evidence.certificates or ()), self._world.store
        self._started = self._ports.clock.now()
        try:
            if again and first is not None and store is not None:
                restarts.note_restart(store, first.ends, evidence.k3s.started_at)
                self._ports.k3s.stop()
            self._ports.k3s.start()
        except (CommandFailed, OSError, StateUnusable) as error:
            return f"k3s could not be {'restarted' if again else 'started'}: {error}"
        if again:
            self._ports.kube.close()  # certificates and identity are read anew
            self._looked = None  # and so are the dates
        return f"{'restarted' if again else 'started'} k3s: {action.reason}"

    def _findings(self) -> tuple[Finding, ...]:
        return registry.findings(self._results)

    def _report(self, evidence: Evidence, did: tuple[str, ...], job: str) -> Report:
        now = text(evidence.now)
        findings = self._dated(self._findings(), now)
        site = self._world.store.site() if self._world.store else None
        said = judge.sentence(site, evidence, findings, did, job)
        if said != self._sentence:
            LOG.info("%s", said)
            self._sentence = said
        first = first_to_end(evidence.certificates or ())
        node = NodeStatus(
            node_id=self._node_id,
            node_name=site.nodes[0].node_name if site else "",
            role=Role.SERVER,
            clock=evidence.clock,
            clock_source=evidence.time.source if evidence.time else ClockSource.UNKNOWN,
            clock_floor=text(evidence.time.floor) if evidence.time else "",
            clock_offset_ms=evidence.time.offset_ms if evidence.time else None,
            facts=evidence.facts,
            usage=evidence.usage,
            k3s=evidence.k3s,
            conditions=self._with_transitions(judge.conditions(site, evidence), now),
            certificates_until=text(first.ends) if first else "",
        )
        return Report(
            at=now,
            health=judge.health(site, evidence, findings, bool(job)),
            sentence=said,
            node=node,
            cluster=evidence.cluster or ClusterStatus(reachable=False),
            site=site,
            findings=findings,
            job=job,
            rehearsed=self._ports.rehearsed,
            agent_version=__version__,
            link=evidence.link or LinkStatus(),
            enrolment=evidence.enrolment or EnrolmentStatus(),
            did=did,
        )

    def _dated(self, findings: tuple[Finding, ...], now: str) -> tuple[Finding, ...]:
        """Give each finding the time it was first seen, and forget those that are gone."""
        self._since = {one.code: self._since.get(one.code, now) for one in findings}
        return tuple(replace(one, since=self._since[one.code]) for one in findings)

    def _with_transitions(self, conditions: tuple[Condition, ...], now: str) -> tuple[Condition, ...]:
        dated = []
        for one in conditions:
            before = self._conditions.get(one.type)
            same = before is not None and before.status is one.status
            since = before.last_transition_time if before is not None and same else now
            dated.append(replace(one, last_transition_time=since))
        self._conditions = {one.type: one for one in dated}
        return tuple(dated)
