"""The controller's store in memory: the sites of `fleet_sites`, and accounts, sessions and customers that can be changed.

Implements ports.Reader and ports.Registry for those who show the fleet; what the link writes is the real store's business,
and asking this one for it fails. Safe for several threads, as its callers are worker threads.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from archipel_contract.link.messages import METRIC_NAMES
from archipel_fleet.ports import HEALTH_ORDER, Arrival, Clock, Note, StoreFailed, Taken
from archipel_fleet.records import (
    Account,
    ContactState,
    EventRow,
    FleetSummary,
    MetricSeries,
    NodeRow,
    Page,
    Scope,
    SiteDetail,
    SiteQuery,
    SiteRow,
    SiteSort,
    Span,
)
from archipel_fleet.storage.enrolling import SqlDevices
from tests.fakes import fleet_sites as made
from tests.fakes.fleet_book import FakeBook
from tests.fakes.fleet_devices import StillClock, fake_registry

CONTACT_ORDER = (
    ContactState.OVERDUE,
    ContactState.UNKNOWN,
    ContactState.NEVER,
    ContactState.QUIET,
    ContactState.CONNECTED,
)


@dataclass(frozen=True, slots=True)
class _Session:
    name: str
    opened: int
    until: int


class FakeRegistry:
    """Accounts, sessions, customers."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._accounts: dict[str, tuple[Account, str | None]] = {}
        self._sessions: dict[str, _Session] = {}
        self._customers = {"default", "north", "south"}
        self.failing: str = ""  # a code of StoreFailed: every call fails with it

    def _ready(self) -> None:
        if self.failing:
            raise StoreFailed(self.failing, "made to fail by the test")

    def accounts(self) -> tuple[Account, ...]:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            return tuple(
                account for account, _ in sorted(self._accounts.values(), key=lambda one: one[0].name)
            )

    def put_account(self, account: Account, password_hash: str | None) -> None:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            kept = self._accounts.get(account.name, (account, None))[1]
            self._accounts[account.name] = (account, password_hash or kept)
            self._end_sessions(account.name)

    def remove_account(self, name: str) -> bool:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            self._end_sessions(name)
            return self._accounts.pop(name, None) is not None

    def _end_sessions(self, name: str) -> None:
        self._sessions = {digest: one for digest, one in self._sessions.items() if one.name != name}

    def password_hash(self, name: str) -> str | None:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            account, known = self._accounts.get(name, (None, None))
            return None if account is None or account.disabled else known

    def open_session(self, digest: str, name: str, now: int, until: int) -> None:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            self._sessions[digest] = _Session(name, now, until)

    def session(self, digest: str, now: int) -> Account | None:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            one = self._sessions.get(digest)
            if one is None or one.until <= now or one.name not in self._accounts:
                return None
            account = self._accounts[one.name][0]
            return None if account.disabled else account

    def close_session(self, digest: str) -> None:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            self._sessions.pop(digest, None)

    def customers(self) -> tuple[str, ...]:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            return tuple(sorted(self._customers))

    def add_customer(self, name: str) -> bool:
        """See ports.Registry."""
        self._ready()
        with self._lock:
            new = name not in self._customers
            self._customers.add(name)
            return new


class FakeStore(FakeRegistry):
    """The store; `sites_given` takes the place of the twelve, for tests of long lists."""

    incarnation = "fake"

    def __init__(self, sites_given: Sequence[SiteRow] | None = None) -> None:
        super().__init__()
        self._rows = list(
            sites_given if sites_given is not None else map(made.site_row, range(len(made.TABLE)))
        )
        self.closed = False
        self._devices: SqlDevices | None = None
        self.book = FakeBook(lambda: self._rows)
        self.clock: Clock = StillClock()

    @property
    def devices(self) -> SqlDevices:
        """The devices of `fleet_devices`, made when somebody asks for them."""
        if self._devices is None:
            self._devices = fake_registry(self.clock)
        return self._devices

    def _seen(self, scope: Scope) -> list[SiteRow]:
        self._ready()
        return [row for row in self._rows if scope.customer in (None, row.customer)]

    def _number(self, scope: Scope, site: str) -> int | None:
        found = [row for row in self._seen(scope) if site in (row.site_id, row.name)]
        return self._rows.index(found[0]) if len(found) == 1 else None

    def summary(self, scope: Scope, now: int) -> FleetSummary:
        """See ports.Reader."""
        rows = self._seen(scope)
        contact: dict[str, int] = {}
        health: dict[str, int] = {}
        for row in rows:
            contact[row.contact.state] = contact.get(row.contact.state, 0) + 1
            health[row.health.health] = health.get(row.health.health, 0) + 1
        return FleetSummary(
            sites=len(rows),
            nodes=sum(row.nodes for row in rows),
            contact=contact,
            health=health,
            rehearsed=sum(row.rehearsed for row in rows),
            controller_since=made.NOW - made.DAY,
            away=(
                Span(since=made.NOW - 3 * made.DAY, until=made.NOW - 3 * made.DAY + made.HOUR, state="away"),
            ),
        )

    def sites(self, scope: Scope, query: SiteQuery, now: int) -> Page[Any]:
        """See ports.Reader."""
        rows = [row for row in self._seen(scope) if matches(row, query)]
        rows.sort(key=lambda row: row.name)
        rows.sort(key=lambda row: order(row, query.sort), reverse=query.descending)
        return paged(rows, query.page, query.size)

    def site(self, scope: Scope, site: str, now: int) -> SiteDetail | None:
        """See ports.Reader."""
        number = self._number(scope, site)
        if number is None:
            return None
        return replace(made.detail(number), site=self._rows[number])

    def nodes(
        self, scope: Scope, now: int, site_id: str = "", text: str = "", page: int = 1, size: int = 50
    ) -> Page[NodeRow]:
        """See ports.Reader."""
        seen = {row.site_id: row for row in self._seen(scope)}
        numbers = [number for number, row in enumerate(self._rows) if row.site_id in seen]
        nodes = [
            replace(node, customer=self._rows[number].customer)
            for number in numbers
            for node in made.node_rows(number)
        ]
        found = [
            node
            for node in nodes
            if site_id in ("", node.site_id) and text.lower() in f"{node.name} {node.node_id}".lower()
        ]
        return paged(found, page, size)

    def events(
        self, scope: Scope, site_id: str, before: int | None = None, node_id: str = "", limit: int = 100
    ) -> tuple[EventRow, ...]:
        """See ports.Reader."""
        number = self._number(scope, site_id)
        rows = made.events(number) if number is not None else ()
        found = [one for one in rows if (before is None or one.at < before) and node_id in ("", one.node_id)]
        return tuple(found[:limit])

    def contact_spans(self, scope: Scope, site_id: str, since: int, now: int) -> tuple[Span, ...]:
        """See ports.Reader."""
        number = self._number(scope, site_id)
        return () if number is None else made.contact_spans(number, since, now)

    def health_spans(self, scope: Scope, site_id: str, since: int, now: int) -> tuple[Span, ...]:
        """See ports.Reader."""
        number = self._number(scope, site_id)
        return () if number is None else made.health_spans(number, since, now)

    def metrics(self, scope: Scope, node_id: str, since: int, until: int) -> MetricSeries | None:
        """See ports.Reader."""
        if not any(node.node_id == node_id for node in self.nodes(scope, until, size=10_000).rows):
            return None
        times = tuple(range(max(since, until - made.DAY), until, 5 * made.MINUTE)) if until > since else ()
        values: dict[str, tuple[float | None, ...]] = {
            name: tuple(None if step == 7 else float(step % 50 + column) for step in range(len(times)))
            for column, name in enumerate(METRIC_NAMES)
        }
        return MetricSeries(node_id=node_id, at=times, values=values)

    def assign(self, site_id: str, customer: str) -> bool:
        """See ports.Registry."""
        number = self._number(Scope(None), site_id)
        if number is None or customer not in self.customers():
            return False
        self._rows[number] = replace(self._rows[number], customer=customer)
        return True

    def take(self, arrivals: Sequence[Arrival]) -> Taken:
        """Not the business of this fake."""
        raise NotImplementedError

    def noted(self, notes: Sequence[Note], now: int) -> frozenset[str]:
        """Not the business of this fake."""
        raise NotImplementedError

    def listening(self, since: int, now: int) -> None:
        """Not the business of this fake."""
        raise NotImplementedError

    def sweep(self, now: int) -> frozenset[str]:
        """Not the business of this fake."""
        raise NotImplementedError

    def retain(self, now: int) -> int:
        """Not the business of this fake."""
        raise NotImplementedError

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def matches(row: SiteRow, query: SiteQuery) -> bool:
    """Whether a site is one the query asks for."""
    return (
        query.text.lower() in f"{row.name} {row.site_id}".lower()
        and (not query.contact or row.contact.state in query.contact)
        and (not query.health or row.health.health in query.health)
        and query.customer in ("", row.customer)
        and (not query.k3s_version or query.k3s_version in row.k3s_versions)
        and (not query.os_name or query.os_name in row.os_names)
        and query.finding in ("", row.worst)
        and query.rehearsed in (None, row.rehearsed)
    )


def order(row: SiteRow, sort: SiteSort) -> Any:
    """What a list in this order is sorted by; equals are in the order of their names."""
    keys = {
        SiteSort.NAME: row.name,
        SiteSort.CONTACT: CONTACT_ORDER.index(row.contact.state),
        SiteSort.HEALTH: HEALTH_ORDER.index(row.health.health),
        SiteSort.HEARD: row.contact.last_heard or 0,
        SiteSort.K3S: row.k3s_versions,
    }
    return keys[sort]


def paged(rows: Sequence[Any], page: int, size: int) -> Page[Any]:
    """Cut one page out of a whole list."""
    first = (page - 1) * size
    return Page(rows=tuple(rows[first : first + size]), total=len(rows), page=page, size=size)
