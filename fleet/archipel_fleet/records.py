"""What the fleet knows, as rows for those who show it: pages, API, commands. No database, no clock, no words for people.

Every time is milliseconds since 1970 UTC by the controller's clock unless its name says `device`. `None` means "not known".
A row never crosses customers: who asks gives a `Scope`, and every query is bound to it.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from archipel_contract.findings import Finding
from archipel_contract.link.messages import EventKind, GapReason
from archipel_contract.site import Role
from archipel_contract.status import Health, LinkMode, Truth

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see: one customer's sites, or (None) all. There is no third case."""

    customer: str | None


EVERYTHING = Scope(None)


class ContactState(StrEnum):
    """Whether a node or site is heard of when it should be. Says nothing about its health."""

    CONNECTED = "connected"
    QUIET = "quiet"  # as planned: the next word is not due yet
    OVERDUE = "overdue"
    NEVER = "never"  # known by name, never heard
    UNKNOWN = "unknown"  # the controller or its broker was away when the word was due


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One axis: contact. `due` is when the next word is expected at the latest."""

    state: ContactState
    since: int | None = None
    last_heard: int | None = None
    due: int | None = None
    mode: LinkMode = LinkMode.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHealth:
    """The other axis: health as last heard, and when that was. Silence never changes it."""

    health: Health
    heard: int | None = None
    since: int | None = None  # since when it is so, reckoned to the controller's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node in a list."""

    node_id: str
    name: str
    site_id: str
    site_name: str
    customer: str
    role: Role
    contact: Contact
    health: LastHealth
    k3s_version: str = ""
    agent_version: str = ""
    os_name: str = ""
    model: str = ""
    architecture: str = ""
    problems: int = 0
    warnings: int = 0
    clock: str = ""
    clock_offset_ms: int | None = None  # the device's clock less ours, when last heard
    waiting: int | None = None  # messages in its outbox, as its last hello said
    rehearsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRow:
    """One site in a list."""

    site_id: str
    name: str
    customer: str
    contact: Contact
    health: LastHealth
    nodes: int = 0
    nodes_connected: int = 0
    nodes_ready: int | None = None
    pods: int = 0
    pods_ready: int = 0
    k3s_versions: tuple[str, ...] = ()
    os_names: tuple[str, ...] = ()
    agent_versions: tuple[str, ...] = ()
    problems: int = 0
    warnings: int = 0
    worst: str = ""  # code of the gravest finding
    rehearsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRow:
    """One condition of one node, as last heard."""

    node_id: str
    node_name: str
    type: str
    status: Truth
    reason: str
    message: str = ""
    since: str = ""  # RFC 3339, by the device


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One finding, as last heard from one node, or made by the controller itself about a node or site (`node_id` may be
    empty then)."""

    finding: Finding
    node_id: str = ""
    node_name: str = ""
    heard: int | None = None
    by_controller: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One entry of a timeline. `at` is the device's time where it can be trusted, reckoned or bounded otherwise."""

    node_id: str
    node_name: str
    site_id: str
    kind: EventKind
    at: int
    sure: bool  # False: the device's clock could not be trusted; its time is only known to lie between others
    received: int
    subject: str = ""
    before: str = ""
    after: str = ""
    text: str = ""
    params: dict[str, str] = field(default_factory=dict)
    epoch: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """Messages of a node that will never come; `last` 0 is an open end."""

    node_id: str
    node_name: str
    epoch: int
    first: int
    last: int
    reason: GapReason
    count: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time in which contact (or health) was the same; `until` None is now."""

    since: int
    until: int | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """Samples of one node: times, and for each name of METRIC_NAMES as many values."""

    node_id: str
    at: tuple[int, ...]
    values: dict[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRow:
    """One pod as last heard."""

    namespace: str
    name: str
    node: str
    phase: str
    ready: bool
    restarts: int
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDetail:
    """All about one site that fits on its page; timeline, metrics and spans are asked for on their own."""

    site: SiteRow
    nodes: tuple[NodeRow, ...]
    conditions: tuple[ConditionRow, ...]
    findings: tuple[FindingRow, ...]
    pods: tuple[PodRow, ...]
    gaps: tuple[GapRow, ...]
    facts: dict[str, dict[str, object]]  # node id -> its facts as heard (compact JSON of NodeFacts)


class SiteSort(StrEnum):
    """Orders of a list of sites."""

    NAME = "name"
    CONTACT = "contact"  # overdue first
    HEALTH = "health"  # unhealthy first
    HEARD = "heard"  # longest silent first
    K3S = "k3s"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteQuery:
    """Which sites, in which order, from which page (1 is the first)."""

    text: str = ""  # part of name or id, case ignored
    contact: tuple[ContactState, ...] = ()
    health: tuple[Health, ...] = ()
    customer: str = ""
    k3s_version: str = ""
    os_name: str = ""
    finding: str = ""
    rehearsed: bool | None = None
    sort: SiteSort = SiteSort.NAME
    descending: bool = False
    page: int = 1
    size: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list; `total` counts what the query matches on all pages."""

    rows: tuple[T, ...]
    total: int
    page: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSummary:
    """The fleet in numbers, for the top of the page."""

    sites: int
    nodes: int
    contact: dict[str, int]  # ContactState -> sites
    health: dict[str, int]  # Health -> sites
    rehearsed: int  # sites
    controller_since: int  # when this controller process began to listen
    away: tuple[Span, ...] = ()  # the last times the controller was not listening
    # What a list of this scope can be filtered by, with how many sites each has.
    customers: dict[str, int] = field(default_factory=dict)
    k3s_versions: dict[str, int] = field(default_factory=dict)
    os_names: dict[str, int] = field(default_factory=dict)


class AccountRole(StrEnum):
    """What an account may do."""

    ADMIN = "admin"  # everything, and accounts
    OPERATOR = "operator"  # everything of its scope but accounts
    VIEWER = "viewer"  # reads its scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who may log in. `customer` None sees all customers."""

    name: str
    role: AccountRole
    customer: str | None = None
    disabled: bool = False

    @property
    def scope(self) -> Scope:
        """What this account may see."""
        return Scope(self.customer)
