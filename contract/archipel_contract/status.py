"""What is: conditions, the node's and the cluster's status, and the report a person or the fleet reads.

Conditions follow the Kubernetes convention (`type, status, reason, message, last_transition_time,
observed_generation`). Times are RFC 3339 in UTC.
"""

from dataclasses import dataclass
from enum import StrEnum

from archipel_contract.facts import ClockQuality, ClockSource, NodeFacts, NodeUsage
from archipel_contract.findings import Finding
from archipel_contract.site import Role, SiteDocument


class Truth(StrEnum):
    """The status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One statement about the node or the site, with since when it holds."""

    type: str
    status: Truth
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class ServiceState(StrEnum):
    """How k3s stands as a service. RUNNING says that its process lives, not that the cluster works."""

    ABSENT = "absent"  # no k3s is set up here
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILING = "failing"  # ends and is started again, over and over
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class K3sStatus:
    """The k3s of this machine."""

    state: ServiceState = ServiceState.UNKNOWN
    version: str = ""
    pid: int | None = None
    started_at: str = ""
    restarts: int = 0
    kept_by: str = ""  # systemd, or supervised where there is no systemd


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One node as it sees itself."""

    node_id: str
    node_name: str
    role: Role
    clock: ClockQuality
    facts: NodeFacts
    usage: NodeUsage
    k3s: K3sStatus
    conditions: tuple[Condition, ...] = ()
    clock_source: ClockSource = ClockSource.UNKNOWN
    clock_floor: str = ""  # it is certainly later than this
    clock_offset_ms: int | None = (
        None  # how far the clock is ahead of the fleet's, where the fleet said its time since the agent's start
    )
    certificates_until: str = (
        ""  # when the first of k3s' own certificates on this node ends; empty if not known
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """One node as the Kubernetes API shows it."""

    name: str
    role: Role
    ready: bool
    reason: str = ""
    message: str = ""
    version: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod as the Kubernetes API shows it; `reason` names why it is not ready, if it is not."""

    namespace: str
    name: str
    phase: str
    ready: bool
    restarts: int = 0
    reason: str = ""
    message: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """The site's cluster as its Kubernetes API shows it; `reachable` False leaves the rest empty."""

    reachable: bool
    ready: bool = False
    message: str = ""
    nodes: tuple[ClusterNode, ...] = ()
    pods: tuple[Pod, ...] = ()


class Health(StrEnum):
    """The one word at the top of the screen."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    NOT_SET_UP = "not-set-up"
    STOPPED = "stopped"
    WORKING = "working"  # a job is changing the site right now


class LinkMode(StrEnum):
    """When a node has a link to its fleet."""

    OFF = "off"  # no broker is set: the site lives on its own
    ALWAYS_ON = "always-on"
    DIAL_IN = "dial-in"  # connects on schedule, says what it has to say, and hangs up
    UNKNOWN = "unknown"


class LinkState(StrEnum):
    """How the link to the fleet stands."""

    OFF = "off"
    CONNECTED = "connected"  # and the fleet's controller answers
    UNANSWERED = "unanswered"  # the broker is there, the controller does not answer
    PLANNED_QUIET = "planned-quiet"  # dial-in: the next call is not due yet
    AWAY = "away"  # the broker cannot be reached, refuses, or is none
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedOrders:
    """What was refused of what came from above, by why."""

    code: str  # a code of `trust.store`, `trust.orders` or `link.envelope`
    count: int
    last_at: str
    detail: str = ""  # of the last


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersStatus:
    """Whether this node takes orders of a fleet, which ones it does not, and what it refused within a day."""

    heeded: bool = False
    veto: tuple[str, ...] = ()  # actions that are refused on site
    refused: tuple[RefusedOrders, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The link to the fleet, as the node sees it."""

    mode: LinkMode = LinkMode.OFF
    state: LinkState = LinkState.OFF
    broker: str = ""
    since: str = ""  # of this state
    last_answer_at: str = ""  # when the controller last answered
    next_call_at: str = ""  # when the next attempt or planned call is due; empty while connected
    message: str = ""  # what went wrong last, in one line
    code: str = ""  # of the finding `message` belongs to: a CarrierFailed's; empty while nothing is wrong
    waiting: int = 0  # messages in the outbox
    waiting_bytes: int = 0
    limit_bytes: int = 0  # how much the outbox may hold before it drops the oldest; 0 if that is not known
    dropped: int = 0  # messages declared as gaps since the agent started
    orders: OrdersStatus = OrdersStatus()


class Membership(StrEnum):
    """How a device stands with its fleet."""

    NONE = "none"  # nobody asked for it
    WAITING = "waiting"  # it asks, and has had no answer yet
    PENDING = "pending"  # a person has to approve it
    ENROLLED = "enrolled"
    REFUSED = "refused"  # with the reason in `message`; asked again from time to time
    EXPIRED = "expired"  # its certificate has ended; it goes on trying to renew it
    UNKNOWN = "unknown"  # only a running agent knows, or its files cannot be used


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentStatus:
    """Whether this device belongs to a fleet, and how far it has come on the way there."""

    state: Membership = Membership.NONE
    address: str = ""  # where it enrols and renews: https://host:port
    fleet: str = ""  # the fleet's name, once it is known
    display_name: str = ""  # of this device, given by the fleet
    claim: str = ""  # code to compare with the one the fleet shows, before somebody approves
    certificate_until: str = ""
    code: str = ""  # of the finding that `message` belongs to; empty while nothing is wrong
    message: str = ""
    file: str = ""  # the one that cannot be used, if that is what is wrong
    next_try_at: str = ""  # empty when nothing is planned


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupStatus:
    """How this site's backups stand: the last that arrived, for whom it was sealed, and the last drill."""

    planned_to: str = ""  # where they go by themselves; empty for nowhere
    sequence: int = 0  # of the last that arrived; 0 before the first
    at: str = ""
    place: str = ""
    owner_keys: int = 0  # recovery keys of the owner, and of the fleet, that open it
    fleet_keys: int = 0
    drilled_at: str = ""  # when one was last restored for practice; empty for never
    drilled_sequence: int = 0
    problem: str = ""  # why the last try failed; empty once one arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything the person in front of the machine wants to know, as of `at`."""

    at: str
    health: Health
    sentence: str  # what the last turn saw and did
    node: NodeStatus
    cluster: ClusterStatus
    site: SiteDocument | None = None
    findings: tuple[Finding, ...] = ()
    job: str = ""  # id of the running job, empty if none
    rehearsed: bool = False  # the machine and its k3s are simulated
    agent_version: str = ""
    link: LinkStatus = LinkStatus()
    did: tuple[str, ...] = ()  # what the agent did by itself in the last turn, one sentence each
    enrolment: EnrolmentStatus = EnrolmentStatus()
    backup: BackupStatus | None = None  # None where the machine is no site, or that is not known
