"""A scripted agent: answers what it was told to, remembers what it was asked, and can be slow, broken or silent.

Stands behind the real API server in the tests of the API and of the command line. It does no work of its own: a test says
how a job goes on by calling `advance`.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from archipel_agent.service import Refused
from archipel_contract.answers import AnswersStatus, AnswersWish
from archipel_contract.api import (
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
from archipel_contract.audit import ChainHead
from archipel_contract.catalogue import finding
from archipel_contract.facts import ClockQuality, NodeFacts, NodeUsage
from archipel_contract.findings import CheckResult, Verdict
from archipel_contract.jobs import (
    Job,
    JobEvent,
    JobRequest,
    JobState,
    Plan,
    PlannedStep,
    Step,
    StepState,
    Verb,
)
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, Role, SiteDocument
from archipel_contract.status import (
    ClusterNode,
    ClusterStatus,
    EnrolmentStatus,
    Health,
    K3sStatus,
    Membership,
    NodeStatus,
    Pod,
    Report,
    ServiceState,
)

NODE_ID = "n-7k2m9qxf04hvd1et"
JOB_ID = "j-7k2m9qxf04hvd1et"
FACTS = NodeFacts(hostname="edge-07", architecture="x86_64", cpus=2, memory_bytes=4 << 30)
SITE = SiteDocument(
    site_id="s-7k2m9qxf04hvd1et",
    generation=0,
    origin=Origin.LOCAL,
    name="Halle 3",
    network=Network(node_ip="192.168.4.27", interface="eth0"),
    k3s=K3sBinary(path="/usr/local/bin/k3s", version="v1.34.2+k3s1", sha256="0" * 64),
    nodes=(NodeSpec(node_id=NODE_ID, node_name="edge-07"),),
)
NOT_ROOT = finding("not-root", ("uid 1000",), user="anna", command="up")
STEPS = (
    Step(slug="preflight", title="Check this machine"),
    Step(slug="start-k3s", title="Start k3s", usual_seconds=60),
)


def report(
    health: Health = Health.HEALTHY, sentence: str = "k3s runs, the node is Ready, 2 of 2 pods are ready."
) -> Report:
    """A report of a one-node site."""
    return Report(
        at="2026-01-02T03:04:05Z",
        health=health,
        sentence=sentence,
        node=NodeStatus(
            node_id=NODE_ID,
            node_name="edge-07",
            role=Role.SERVER,
            clock=ClockQuality.SYNCHRONIZED,
            facts=FACTS,
            usage=NodeUsage(
                cpu_percent=12.5, memory_used_bytes=1 << 30, memory_total_bytes=4 << 30, temperature_c=51.0
            ),
            k3s=K3sStatus(
                state=ServiceState.RUNNING,
                version="v1.34.2+k3s1",
                started_at="2026-01-01T00:00:00Z",
                kept_by="systemd",
            ),
        ),
        cluster=ClusterStatus(
            reachable=True,
            ready=True,
            nodes=(ClusterNode(name="edge-07", role=Role.SERVER, ready=True, version="v1.34.2+k3s1"),),
            pods=(
                Pod(namespace="kube-system", name="coredns-0", phase="Running", ready=True),
                Pod(namespace="kube-system", name="metrics-0", phase="Running", ready=True),
            ),
        ),
        site=SITE,
        agent_version="0.1.0",
    )


class Subscribed:
    """Who wants to know that something changed."""

    def __init__(self) -> None:
        self.subscribers: list[Callable[[], None]] = []

    def wake(self) -> None:
        """Tell every subscriber that something changed."""
        for subscriber in list(self.subscribers):
            subscriber()

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Remember `wake`."""
        self.subscribers.append(wake)
        return lambda: self.subscribers.remove(wake)


class Enrolling(Subscribed):
    """A machine that comes into a fleet as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.current = report()
        self.refusal: Refused | None = None  # raised by every call but `alive`
        self.enrol_wishes: list[tuple[EnrolmentWish, str]] = []
        self.asks_voucher = VoucherRequest(node_id="n-7k2m9qxf04hvd1et", key_id="k-7k2m9qxf04hvd1et")
        self.vouched_for: list[VoucherRequest] = []
        self.on_enrol: Callable[[], None] = lambda: None

    def enrolment(self) -> EnrolmentStatus:
        """Return how the scripted machine stands with its fleet."""
        return self.current.enrolment

    def enrol(self, wish: EnrolmentWish, asked_by: str) -> EnrolmentStatus:
        """Remember the wish and who had it; a test says how it goes on by `change`."""
        if self.refusal is not None:
            raise self.refusal
        self.enrol_wishes.append((wish, asked_by))
        self.on_enrol()
        return self.current.enrolment

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def leave_fleet(self, asked_by: str) -> EnrolmentStatus:
        """Belong to no fleet from now on."""
        self._refuse()
        self.current = replace(self.current, enrolment=EnrolmentStatus(state=Membership.NONE))
        return self.current.enrolment

    def voucher_request(self) -> VoucherRequest:
        """Return the scripted request."""
        self._refuse()
        return self.asks_voucher

    def vouch(self, wish: VoucherWish, asked_by: str) -> VoucherGiven:
        """Give a voucher that nobody would believe."""
        self._refuse()
        self.vouched_for.append(wish.request)
        return VoucherGiven(link="https://fleet.example:8471/#voucher", node_id=wish.request.node_id)


class Answering:
    """The part of the service that answer files are asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = AnswersStatus()
        self.applied: list[str] = []

    def answers(self) -> AnswersStatus:
        """As the test says."""
        return self.answered

    def apply_answers(self, wish: AnswersWish, asked_by: str) -> AnswersStatus:
        """Remember which file was asked for."""
        self.applied.append(wish.path)
        return self.answered


class ScriptedService(Answering, Enrolling):
    """An AgentService for tests; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.check_results = Checks(
            phase="runtime",
            results=(
                CheckResult(slug="clock", verdict=Verdict.OK, said="synchronized"),
                CheckResult(slug="disk_speed", verdict=Verdict.UNDECIDED, said="no figure yet"),
            ),
        )
        self.planned = Plan(
            verb=Verb.UP,
            steps=(
                PlannedStep(slug="preflight", title="Check this machine", needed=True),
                PlannedStep(slug="install-k3s", title="Install k3s", needed=False, said="v1.34.2 is there"),
            ),
        )
        self.rehearsed = False
        self.known_facts = FACTS
        self.known_site: SiteDocument | None = SITE
        self.kube = Kubeconfig(path="/nowhere/k3s.yaml", content="server: https://127.0.0.1:6443\n")
        self.log_lines: dict[str, tuple[str, ...]] = {"k3s": ("one", "two"), "agent": ("hello",)}
        self.journal = AuditPage(head=ChainHead())
        self.requests: list[tuple[JobRequest, str]] = []
        self.cancelled: list[str] = []
        self.clock_wishes: list[tuple[str, str]] = []
        self.defect: Exception | None = None  # likewise
        self.hold: threading.Event | None = None  # every call but `alive` waits for it
        self.on_start: Callable[[], None] = lambda: None
        self.jobs_by_id: dict[str, Job] = {}
        self.events_by_id: dict[str, list[JobEvent]] = {}

    def _say(self) -> None:
        if self.hold is not None:
            assert self.hold.wait(10), "the test forgot to let the service go on"
        if self.defect is not None:
            raise self.defect
        if self.refusal is not None:
            raise self.refusal

    # --- what tests do to it ---

    def change(self, **fields: object) -> None:
        """Change the report and tell the subscribers."""
        self.current = replace(self.current, **fields)  # type: ignore[arg-type]  # a test names fields of Report
        self.wake()

    def advance(self, job: Job, line: str = "") -> None:
        """Make `job` the job's present state, with the next event."""
        events = self.events_by_id.setdefault(job.id, [])
        events.append(JobEvent(sequence=len(events) + 1, job=job, line=line))
        self.jobs_by_id[job.id] = job
        self.wake()

    def run_to(self, state: JobState, **fields: object) -> None:
        """Let the scripted job run through its steps and end in `state`."""
        job = self.jobs_by_id[JOB_ID]
        first = replace(job.steps[0], state=StepState.DONE, seconds=0.4, said="4 checks passed")
        self.advance(
            replace(
                job,
                state=JobState.RUNNING,
                steps=(replace(job.steps[0], state=StepState.RUNNING), *job.steps[1:]),
            )
        )
        waiting = replace(
            job.steps[1], state=StepState.RUNNING, seconds=3.0, waiting_for="the Kubernetes API"
        )
        self.advance(replace(job, state=JobState.RUNNING, steps=(first, waiting)), line="k3s is starting")
        ends = {JobState.SUCCEEDED: StepState.DONE, JobState.CANCELLED: StepState.UNDONE}.get(
            state, StepState.FAILED
        )
        last = replace(waiting, state=ends, seconds=61.0, waiting_for="")
        end = replace(job, state=state, steps=(first, last), finished_at="2026-01-02T03:05:06Z")
        self.advance(replace(end, **fields))  # type: ignore[arg-type]  # a test names fields of Job

    # --- AgentService ---

    def alive(self, role: AccessRole) -> Alive:
        """Return who answers."""
        return Alive(
            agent_version="0.1.0",
            api_version=1,
            pid=1,
            node_id=NODE_ID,
            role=int(role),
            rehearsed=self.rehearsed,
        )

    def report(self, fresh: bool) -> Report:
        """Return the scripted report; a fresh one says so."""
        self._say()
        return replace(self.current, sentence="fresh") if fresh else self.current

    def facts(self) -> NodeFacts:
        """Return the scripted facts."""
        self._say()
        return self.known_facts

    def site(self) -> SiteDocument:
        """Return the scripted site."""
        self._say()
        if self.known_site is None:
            raise Refused(404, "no-site", "this machine is not set up", "archipel up")
        return self.known_site

    def checks(self) -> Checks:
        """Return the scripted results."""
        self._say()
        return self.check_results

    def plan(self, request: JobRequest) -> Plan:
        """Return the scripted plan."""
        self._say()
        self.requests.append((request, "plan"))
        return self.planned

    def jobs(self) -> Jobs:
        """Return all jobs."""
        self._say()
        return Jobs(jobs=tuple(self.jobs_by_id.values()))

    def start_job(self, request: JobRequest, asked_by: str) -> Job:
        """Begin the scripted job."""
        self._say()
        self.requests.append((request, asked_by))
        job = Job(
            id=JOB_ID,
            verb=request.verb,
            state=JobState.QUEUED,
            options=request.options,
            steps=STEPS,
            asked_by=asked_by,
        )
        self.advance(job)
        self.on_start()
        return job

    def job(self, job_id: str) -> Job:
        """Return one job."""
        self._say()
        try:
            return self.jobs_by_id[job_id]
        except KeyError:
            raise Refused(404, "no-job", f"there is no job {job_id}") from None

    def job_events(self, job_id: str, after: int) -> tuple[JobEvent, ...]:
        """Return the events above `after`."""
        self._say()
        return tuple(event for event in self.events_by_id.get(job_id, []) if event.sequence > after)

    def cancel_job(self, job_id: str) -> Job:
        """Note the wish."""
        self._say()
        self.cancelled.append(job_id)
        return self.job(job_id)

    def logs(self, source: str, lines: int) -> LogLines:
        """Return the last scripted lines."""
        self._say()
        if source not in self.log_lines:
            raise Refused(404, "no-log", f"there is no log {source!r}")
        return LogLines(source=source, lines=self.log_lines[source][-lines:])

    def audit(self, lines: int, verify: bool) -> AuditPage:
        """Return the end of the scripted journal."""
        self._say()
        kept = self.journal
        return replace(kept, entries=kept.entries[-lines:], verified=not kept.broken if verify else None)

    def kubeconfig(self) -> Kubeconfig:
        """Return the scripted kubeconfig."""
        self._say()
        return self.kube

    def set_clock(self, wish: ClockWish, asked_by: str) -> Report:
        """Remember the wish and who had it."""
        self._say()
        self.clock_wishes.append((wish.at, asked_by))
        return self.current
