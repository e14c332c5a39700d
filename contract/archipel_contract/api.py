"""The local API as one typed table, from which server, client and reference page are made.

HTTP/1.1 with JSON bodies on a Unix socket; streams are server-sent events. Try it with
`curl --unix-socket /run/archipel/agent.sock http://agent/v1/report`.

The server refuses to start when an endpoint has no handler or a handler no endpoint.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from archipel_contract.answers import AnswersStatus, AnswersWish
from archipel_contract.audit import ChainHead, Entry
from archipel_contract.facts import NodeFacts
from archipel_contract.findings import CheckResult, Finding
from archipel_contract.jobs import Job, JobEvent, JobRequest, Plan
from archipel_contract.site import SiteDocument
from archipel_contract.status import EnrolmentStatus, Report

SOCKET = "run/archipel/agent.sock"  # below the root
MAX_BODY_BYTES = 65_536  # the largest request we make is below 2 kB
API_VERSION = 1


class AccessRole(IntEnum):
    """Who may call an endpoint; each role may what the lower ones may. Found from the peer's uid, never from the request."""

    VIEW = 1
    """Members of the group `archipel`: read state, findings and logs."""
    TECHNICIAN = 2
    """Members of the group `archipel-technician`: jobs that repair, start and stop."""
    OWNER = 3
    """root, and the user the agent runs as: everything, secrets included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The body of every answer that is not 2xx."""

    error: str  # stable word, e.g. `busy`
    message: str
    remedy: str = ""
    finding: Finding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The agent answers."""

    agent_version: str
    api_version: int
    pid: int
    node_id: str
    role: int  # the caller's AccessRole
    rehearsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    """The last lines of one source, oldest first, redacted."""

    source: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """A kubeconfig with administrator rights for this site, as k3s wrote it."""

    path: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The jobs this machine remembers, newest first."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What the doctor found. `phase` is `preflight` on a machine that is not set up, else `runtime`."""

    phase: str
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWish:
    """What time it is, said by a person on site: RFC 3339 with its zone."""

    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentWish:
    """To enrol with a fleet: `https://host:port/#id.secret.pin`, or only the address, to be approved by its claim code."""

    link: str
    again: bool = False  # also where this machine is enrolled already


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRequest:
    """What a new machine gives another node of its site, so that this one vouches for it at the fleet."""

    node_id: str
    key_id: str  # of the key it enrols with
    hostname: str = ""
    site_id: str = ""  # empty while it is no site's


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherWish:
    """To vouch for another machine."""

    request: VoucherRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherGiven:
    """A voucher, as the link by which the other machine enrols. It holds for seven days, and for that machine's key only."""

    link: str
    node_id: str
    fleet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """The end of the audit journal, oldest entry first. `verified` is None unless it was asked for; `broken` is the number
    of the first entry that does not fit the chain.
    """

    head: ChainHead
    entries: tuple[Entry, ...] = ()
    verified: bool | None = None
    broken: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One call: `{name}` parts of `path` and the keys of `query` are strings; `response` of a stream is one event."""

    name: str
    method: str
    path: str
    role: AccessRole
    response: type[Any]
    summary: str
    request: type[Any] | None = None
    query: dict[str, str] = field(default_factory=dict)  # name -> what it means
    stream: bool = False


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        name="alive",
        method="GET",
        path="/v1/alive",
        role=AccessRole.VIEW,
        response=Alive,
        summary="Whether the agent answers, who it is, and what the caller may do.",
    ),
    Endpoint(
        name="report",
        method="GET",
        path="/v1/report",
        role=AccessRole.VIEW,
        response=Report,
        summary="State, findings, node, pods and hardware as of the last turn.",
        query={"fresh": "`1` takes a turn first instead of answering from the last one"},
    ),
    Endpoint(
        name="watch",
        method="GET",
        path="/v1/watch",
        role=AccessRole.VIEW,
        response=Report,
        stream=True,
        summary="The report now, and again each time it changed.",
    ),
    Endpoint(
        name="facts",
        method="GET",
        path="/v1/facts",
        role=AccessRole.VIEW,
        response=NodeFacts,
        summary="What this machine is.",
    ),
    Endpoint(
        name="site",
        method="GET",
        path="/v1/site",
        role=AccessRole.VIEW,
        response=SiteDocument,
        summary="What this site should be; 404 before the first `up`.",
    ),
    Endpoint(
        name="checks",
        method="POST",
        path="/v1/checks",
        role=AccessRole.VIEW,
        response=Checks,
        summary="Run every check now and tell what each saw.",
    ),
    Endpoint(
        name="plan",
        method="POST",
        path="/v1/plan",
        role=AccessRole.VIEW,
        request=JobRequest,
        response=Plan,
        summary="What a job would do, without doing it.",
    ),
    Endpoint(
        name="jobs",
        method="GET",
        path="/v1/jobs",
        role=AccessRole.VIEW,
        response=Jobs,
        summary="The jobs this machine remembers, newest first.",
    ),
    Endpoint(
        name="start_job",
        method="POST",
        path="/v1/jobs",
        role=AccessRole.TECHNICIAN,
        request=JobRequest,
        response=Job,
        summary="Start a job; the same `key` gives the same job; 409 while another runs.",
    ),
    Endpoint(
        name="job",
        method="GET",
        path="/v1/jobs/{job_id}",
        role=AccessRole.VIEW,
        response=Job,
        summary="One job as it stands.",
    ),
    Endpoint(
        name="watch_job",
        method="GET",
        path="/v1/jobs/{job_id}/events",
        role=AccessRole.VIEW,
        response=JobEvent,
        stream=True,
        query={"after": "the last sequence number already seen"},
        summary="The job's events until it is over.",
    ),
    Endpoint(
        name="cancel_job",
        method="POST",
        path="/v1/jobs/{job_id}/cancel",
        role=AccessRole.TECHNICIAN,
        response=Job,
        summary="Stop a job after its current step's safe point and undo what it did.",
    ),
    Endpoint(
        name="logs",
        method="GET",
        path="/v1/logs",
        role=AccessRole.VIEW,
        response=LogLines,
        query={"source": "`k3s` or `agent`", "lines": "how many, 1 to 2000, default 200"},
        summary="The last log lines, secrets removed.",
    ),
    Endpoint(
        name="set_clock",
        method="POST",
        path="/v1/clock",
        role=AccessRole.TECHNICIAN,
        request=ClockWish,
        response=Report,
        summary="Set the clock by hand; 409 while a time server keeps it, or for a time that cannot be.",
    ),
    Endpoint(
        name="audit",
        method="GET",
        path="/v1/audit",
        role=AccessRole.VIEW,
        response=AuditPage,
        query={
            "lines": "how many entries, 1 to 10000, default 100",
            "verify": "`1` checks the whole chain of entries as well",
        },
        summary="Who did what on this machine, on site and from afar.",
    ),
    Endpoint(
        name="enrolment",
        method="GET",
        path="/v1/enrolment",
        role=AccessRole.VIEW,
        response=EnrolmentStatus,
        summary="Whether this machine belongs to a fleet, and how far it has come on the way there.",
    ),
    Endpoint(
        name="enrol",
        method="POST",
        path="/v1/enrolment",
        role=AccessRole.TECHNICIAN,
        request=EnrolmentWish,
        response=EnrolmentStatus,
        summary="Begin to enrol with a fleet; answers at once, `enrolment` tells how it goes. 409 where it is enrolled.",
    ),
    Endpoint(
        name="leave_fleet",
        method="POST",
        path="/v1/enrolment/leave",
        role=AccessRole.OWNER,
        response=EnrolmentStatus,
        summary="Leave the fleet: its keys are wiped here, the cluster runs on. 409 where this machine belongs to none.",
    ),
    Endpoint(
        name="voucher_request",
        method="POST",
        path="/v1/enrolment/request",
        role=AccessRole.TECHNICIAN,
        response=VoucherRequest,
        summary="What another node of the site has to know to vouch for this machine.",
    ),
    Endpoint(
        name="vouch",
        method="POST",
        path="/v1/enrolment/voucher",
        role=AccessRole.TECHNICIAN,
        request=VoucherWish,
        response=VoucherGiven,
        summary="Vouch at the fleet for another machine of this site; 409 where this one cannot.",
    ),
    Endpoint(
        name="answers",
        method="GET",
        path="/v1/answers",
        role=AccessRole.VIEW,
        response=AnswersStatus,
        summary="Which answer file (archipel.toml) is in force, what came of it and what did not; secrets hidden.",
    ),
    Endpoint(
        name="apply_answers",
        method="POST",
        path="/v1/answers",
        role=AccessRole.OWNER,
        request=AnswersWish,
        response=AnswersStatus,
        summary="Apply an answer file that lies on this machine; `answers` tells how it goes.",
    ),
    Endpoint(
        name="kubeconfig",
        method="GET",
        path="/v1/kubeconfig",
        role=AccessRole.OWNER,
        response=Kubeconfig,
        summary="The administrator's kubeconfig.",
    ),
)


def endpoint(name: str) -> Endpoint:
    """Return the endpoint called `name`; raise KeyError if there is none."""
    for candidate in ENDPOINTS:
        if candidate.name == name:
            return candidate
    raise KeyError(name)
