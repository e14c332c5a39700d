"""The ports of the controller: the store behind its pages and its ingest, time, and randomness.

`storage/` implements the store over SQLite and PostgreSQL; one suite holds both to the same behaviour. All calls block and
may be made from any worker thread. Every reading call is bound to a Scope: a customer's reader gets None or an empty page
for what is another's, never an error that would betray that it exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from archipel_contract.link.envelope import Envelope, Frame
from archipel_contract.link.messages import Ask, EpochAck, Welcome
from archipel_contract.status import Health
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import Signer
from archipel_contract.trust.store import TrustStore
from archipel_fleet.device_ports import Devices
from archipel_fleet.order_ports import OrderBook
from archipel_fleet.records import (
    Account,
    EventRow,
    FleetSummary,
    MetricSeries,
    NodeRow,
    Page,
    Scope,
    SiteDetail,
    SiteQuery,
    Span,
)


class StoreFailed(Exception):
    """The database cannot be used now; nothing of the call was done. `code` is the finding:

    fleet-database-away, fleet-database-locked, fleet-database-newer, fleet-database-damaged, fleet-disk-full.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message that was read and checked: who sent it, when it came, what it says.

    `body` is an instance of the type's body in `messages.KINDS`; `payload` are the exact bytes of the frame.
    """

    node_id: str
    shard: int
    received: int
    envelope: Envelope
    body: Any
    payload: bytes
    retained: bool = False
    """The broker's stored copy: it tells what was so, not that the node speaks now."""

    signed_by: str = ""
    """Id of the device's key that signed it, verified; empty where nobody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one committed batch leaves to say, by node id; and what was noticed on the way, by finding code."""

    acks: dict[str, tuple[EpochAck, ...]] = field(default_factory=dict)
    welcomes: dict[str, Welcome] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)
    duplicates: int = 0
    changed_sites: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something the link noticed about a node, for its timeline: the finding's code and a line."""

    node_id: str
    code: str
    detail: str


class Keys(Protocol):
    """The controller's keys. Private ones stay behind it."""

    @property
    def trust(self) -> TrustStore:
        """What the offline root says now."""
        ...

    @property
    def trust_frame(self) -> Frame:
        """The trust document as it was signed, for devices."""
        ...

    def frames_after(self, version: int) -> tuple[Frame, ...]:
        """Return every trust document newer than `version` as it was signed, in order."""
        ...

    @property
    def signer(self) -> Signer:
        """The controller's own key, for welcomes, acknowledgements, commands and site documents."""
        ...

    @property
    def authority(self) -> Authority:
        """The CA that issues certificates of devices: the newest one."""
        ...

    @property
    def shown_authority(self) -> Authority:
        """The CA that issues certificates of our servers: what a device that knows one CA only can verify them by. While CAs
        are exchanged that is the older one."""
        ...


class Clock(Protocol):
    """Time, as the controller knows it."""

    def now(self) -> int:
        """Return milliseconds since 1970 UTC by this machine's clock."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...


class Intake(Protocol):
    """What the link writes."""

    @property
    def incarnation(self) -> str:
        """The life of this database (see `messages.Welcome`)."""
        ...

    def take(self, arrivals: Sequence[Arrival]) -> Taken:
        """Commit a batch in one transaction; what was committed before (same node, epoch, sequence) has no second effect
        but is acknowledged again. Raises StoreFailed; then nothing of the batch is committed."""
        ...

    def noted(self, notes: Sequence[Note], now: int) -> frozenset[str]:
        """Write notes about nodes that are known into their timelines; return the ids of the sites that changed."""
        ...

    def listening(self, since: int, now: int) -> None:
        """Note that this controller has been listening from `since` until `now`; called every few seconds, so that times
        in which nobody listened are known afterwards."""
        ...

    def sweep(self, now: int) -> frozenset[str]:
        """Write down who became overdue or quiet since the last sweep; return the ids of the sites that changed."""
        ...

    def retain(self, now: int) -> int:
        """Delete history older than its retention; return how many rows went. A clock that jumped deletes nothing."""
        ...


class Reader(Protocol):
    """What pages, API and commands read. `now` is milliseconds; contact is judged by it."""

    def summary(self, scope: Scope, now: int) -> FleetSummary:
        """Return the fleet in numbers."""
        ...

    def sites(self, scope: Scope, query: SiteQuery, now: int) -> Page[Any]:
        """Return a page of SiteRow."""
        ...

    def site(self, scope: Scope, site: str, now: int) -> SiteDetail | None:
        """Return one site by id, or by name where the name is the only one; None if there is none in this scope."""
        ...

    def nodes(
        self, scope: Scope, now: int, site_id: str = "", text: str = "", page: int = 1, size: int = 50
    ) -> Page[NodeRow]:
        """Return a page of nodes."""
        ...

    def events(
        self, scope: Scope, site_id: str, before: int | None = None, node_id: str = "", limit: int = 100
    ) -> tuple[EventRow, ...]:
        """Return a site's timeline, newest first; `before` goes on from there."""
        ...

    def contact_spans(self, scope: Scope, site_id: str, since: int, now: int) -> tuple[Span, ...]:
        """Return the site's contact over time, without holes, oldest first."""
        ...

    def health_spans(self, scope: Scope, site_id: str, since: int, now: int) -> tuple[Span, ...]:
        """Return the site's health over time as it was, filled in afterwards from what nodes reported late."""
        ...

    def metrics(self, scope: Scope, node_id: str, since: int, until: int) -> MetricSeries | None:
        """Return a node's samples."""
        ...


class Registry(Protocol):
    """What people change: accounts, sessions, customers, and which site belongs to whom."""

    def accounts(self) -> tuple[Account, ...]:
        """Return every account."""
        ...

    def put_account(self, account: Account, password_hash: str | None) -> None:
        """Make or change an account; None keeps its password. Its sessions end."""
        ...

    def remove_account(self, name: str) -> bool:
        """Remove an account and its sessions; False if there is none."""
        ...

    def password_hash(self, name: str) -> str | None:
        """Return the stored hash; None if there is no such account or it is disabled."""
        ...

    def open_session(self, digest: str, name: str, now: int, until: int) -> None:
        """Store a session by the SHA-256 of its token."""
        ...

    def session(self, digest: str, now: int) -> Account | None:
        """Return whose session this is, while it lasts."""
        ...

    def close_session(self, digest: str) -> None:
        """End a session."""
        ...

    def customers(self) -> tuple[str, ...]:
        """Return the customers, sorted; the first-run one is `default`."""
        ...

    def add_customer(self, name: str) -> bool:
        """Add one; False if it is there."""
        ...

    def assign(self, site_id: str, customer: str) -> bool:
        """Give a site to a customer; False if either is not there."""
        ...


class Store(Intake, Reader, Registry, Protocol):
    """The whole store."""

    @property
    def devices(self) -> Devices:
        """The registry of devices."""
        ...

    @property
    def book(self) -> OrderBook:
        """Orders, site documents, and who did what."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


HEALTH_ORDER = (
    Health.UNHEALTHY,
    Health.UNKNOWN,
    Health.WORKING,
    Health.STOPPED,
    Health.NOT_SET_UP,
    Health.HEALTHY,
)
