"""What the local API (and the commands, when no agent runs) may ask of the agent: one protocol, one kind of refusal.

The API server knows only this file and the contract; `core` implements it. All calls block and may be made from any
worker thread.
"""

from collections.abc import Callable
from typing import Protocol

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
    Problem,
    VoucherGiven,
    VoucherRequest,
    VoucherWish,
)
from archipel_contract.facts import NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.jobs import Job, JobEvent, JobRequest, Plan
from archipel_contract.site import SiteDocument
from archipel_contract.status import EnrolmentStatus, Report


class Refused(Exception):
    """The agent will not or cannot answer; carries the HTTP status and the body that says why and what next."""

    def __init__(
        self, status: int, error: str, message: str, remedy: str = "", finding: Finding | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(error=error, message=message, remedy=remedy, finding=finding)


class MembershipService(Protocol):
    """What the agent does about its fleet."""

    def enrolment(self) -> EnrolmentStatus:
        """Return whether this machine belongs to a fleet, and how far it has come on the way there."""
        ...

    def enrol(self, wish: EnrolmentWish, asked_by: str) -> EnrolmentStatus:
        """Begin to enrol; 400 for a link that is none, 409 where this machine is enrolled and `again` is not set."""
        ...

    def leave_fleet(self, asked_by: str) -> EnrolmentStatus:
        """Leave the fleet: keys are wiped, the cluster runs on; 409 where this machine belongs to none."""
        ...

    def voucher_request(self) -> VoucherRequest:
        """Return what another node has to know to vouch for this machine; 409 where it is enrolled."""
        ...

    def vouch(self, wish: VoucherWish, asked_by: str) -> VoucherGiven:
        """Vouch for another machine of this site; 409 where this one cannot."""
        ...

    def answers(self) -> AnswersStatus:
        """Return which answer file is in force, and what came of it."""
        ...

    def apply_answers(self, wish: AnswersWish, asked_by: str) -> AnswersStatus:
        """Apply an answer file; what is wrong with it is in the answer."""
        ...


class AgentService(MembershipService, Protocol):
    """The agent as its API sees it. Every method raises Refused when it cannot answer."""

    def alive(self, role: AccessRole) -> Alive:
        """Return who answers, and the caller's role."""
        ...

    def report(self, fresh: bool) -> Report:
        """Return the last report, or take a turn first."""
        ...

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        ...

    def site(self) -> SiteDocument:
        """Return the current site document; refused with 404 before the first `up`."""
        ...

    def checks(self) -> Checks:
        """Run every check of the present phase."""
        ...

    def plan(self, request: JobRequest) -> Plan:
        """Return what a job would do; nothing is changed."""
        ...

    def jobs(self) -> Jobs:
        """Return the jobs this machine remembers, newest first."""
        ...

    def start_job(self, request: JobRequest, asked_by: str) -> Job:
        """Start a job; 409 while another runs; the same `key` returns the job it started."""
        ...

    def job(self, job_id: str) -> Job:
        """Return one job; 404 if there is none."""
        ...

    def job_events(self, job_id: str, after: int) -> tuple[JobEvent, ...]:
        """Return the job's events with a sequence above `after` (old log lines may be gone, the last event never)."""
        ...

    def cancel_job(self, job_id: str) -> Job:
        """Ask a running job to stop and undo; returns at once."""
        ...

    def logs(self, source: str, lines: int) -> LogLines:
        """Return the last lines of `k3s` or `agent`, redacted; 404 for another source."""
        ...

    def audit(self, lines: int, verify: bool) -> AuditPage:
        """Return the last entries of the audit journal; with `verify`, whether the whole chain holds."""
        ...

    def kubeconfig(self) -> Kubeconfig:
        """Return the administrator's kubeconfig; 404 before there is one."""
        ...

    def set_clock(self, wish: ClockWish, asked_by: str) -> Report:
        """Set the clock by hand and return a fresh report; 409 while a time server keeps it or for an impossible time."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` (from any thread, it must not block) whenever the report or a job changed; returns the way out."""
        ...
