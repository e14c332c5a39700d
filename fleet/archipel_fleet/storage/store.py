"""The store: opens the database, holds the one writer's lock, and gives each call its connection and its failures.

What the calls do is in the modules beside this one. Threads may call anything at any time; writers wait for each other.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from archipel_fleet.domain.contact import LISTENING_SLACK
from archipel_fleet.ports import Arrival, Clock, Note, StoreFailed, Taken
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
    SiteRow,
    Span,
)
from archipel_fleet.storage import (
    details,
    engines,
    histories,
    keeping,
    lists,
    migrating,
    registering,
    schema,
    standing,
)
from archipel_fleet.storage.booking import SqlBook
from archipel_fleet.storage.enrolling import SqlDevices
from archipel_fleet.storage.failures import translated
from archipel_fleet.storage.taking import Batch, Context
from archipel_fleet.storage.working import Working

INCARNATION_BYTES = 8
Entropy = Callable[[int], bytes]


class _Base:
    """Connections, and what is known of the database as a whole."""

    def __init__(self, engines_: engines.Engines, clock: Clock, entropy: Entropy) -> None:
        self._engines = engines_
        self._clock = clock
        self._lock = threading.RLock()
        self._working = Working()
        with translated(), engines_.writing.begin() as connection:
            migrating.migrate(connection)
            self._incarnation = _begun(connection, clock, entropy)
            self._listening = keeping.stretch(connection)
        self._assignments = ""
        self._live = False  # whether the stretch of listening is of this process
        self._retained: tuple[int, float] | None = None
        self._devices = SqlDevices(self._reading, self._writing, clock)
        self._book = SqlBook(self._reading, self._writing, self._incarnation)

    @property
    def devices(self) -> SqlDevices:
        """See ports.Store."""
        return self._devices

    @property
    def book(self) -> SqlBook:
        """See ports.Store."""
        return self._book

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with translated(), self._engines.reading.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._lock, translated(), self._engines.writing.begin() as connection:
            yield connection

    @property
    def _listened(self) -> int | None:
        return None if self._listening is None else self._listening[1]

    def _listened_as_stored(self, connection: sa.Connection) -> int | None:
        """Return when the controller last noted that it listens; it may be another process than this one."""
        if self._live:
            return self._listened
        last = keeping.stretch(connection)
        return None if last is None else last[1]

    def close(self) -> None:
        """See ports.Store."""
        with self._lock:
            self._engines.dispose()


def _begun(connection: sa.Connection, clock: Clock, entropy: Entropy) -> str:
    """Return the incarnation; fill in what a new database starts with."""
    meta = schema.meta
    found: str | None = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "incarnation"))
    if found is not None:
        return found
    incarnation = entropy(INCARNATION_BYTES).hex()
    values = {"incarnation": incarnation, "assignments": "0", "horizon": str(clock.now())}
    connection.execute(sa.insert(meta), [{"name": name, "value": value} for name, value in values.items()])
    connection.execute(sa.insert(schema.customers).values(name=schema.DEFAULT_CUSTOMER))
    return incarnation


class _Intake(_Base):
    """What the link writes; see ports.Intake."""

    @property
    def incarnation(self) -> str:
        """See ports.Intake."""
        return self._incarnation

    def take(self, arrivals: Sequence[Arrival]) -> Taken:
        """See ports.Intake."""
        if not arrivals:
            return Taken()
        with self._lock:
            done = False
            try:
                with self._writing() as connection:
                    self._forget_if_assigned(connection)
                    stretch = self._receiving(connection, arrivals[0].received)
                    context = Context(connection, self._working, self._incarnation, *stretch)
                    taken = Batch(context).run(arrivals)
                self._listening, self._live = stretch, True
                done = True
            finally:
                if not done:
                    self._working.forget()
            self._working.trim()
            return taken

    def _receiving(self, connection: sa.Connection, at: int) -> tuple[int, int]:
        """Return the stretch of listening in which something was received, begun if there is none: who receives, listens.

        A batch may be committed long after it was received; that the clock was set back is seen by `listening`.
        """
        last = self._listening
        if self._live and last is not None and at <= last[1] + LISTENING_SLACK:
            return last
        return self._begin(connection, at, at)

    def _begin(self, connection: sa.Connection, since: int, now: int) -> tuple[int, int]:
        self._working.forget()
        return keeping.begin(connection, self._listening, since, now)

    def _forget_if_assigned(self, connection: sa.Connection) -> None:
        meta = schema.meta
        counted = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "assignments")) or ""
        if counted != self._assignments:
            self._working.forget()
            self._assignments = counted

    def noted(self, notes: Sequence[Note], now: int) -> frozenset[str]:
        """See ports.Intake."""
        nodes = schema.nodes
        wanted = {one.node_id for one in notes}
        with self._writing() as connection:
            rows = connection.execute(
                sa.select(nodes.c.node_id, nodes.c.site_id, nodes.c.customer).where(
                    nodes.c.node_id.in_(wanted)
                )
            )
            whose = {row.node_id: (row.node_id, row.site_id, row.customer) for row in rows}
            for one in notes:
                if one.node_id in whose:
                    standing.note(connection, whose[one.node_id], one.code, one.detail, now)
        return frozenset(site_id for _, site_id, _ in whose.values())

    def listening(self, since: int, now: int) -> None:
        """See ports.Intake."""
        with self._writing() as connection:
            stretch = self._listening
            if stretch is None or not self._live or not keeping.continues(stretch, since, now):
                stretch = self._begin(connection, since, now)
            keeping.extend(connection, stretch, now)
            self._listening, self._live = (stretch[0], now), True

    def sweep(self, now: int) -> frozenset[str]:
        """See ports.Intake."""
        with self._lock:
            with self._reading() as connection:
                found = keeping.fallen(connection, self._listened, now)
            if not any(found.values()):
                return frozenset()
            with self._writing() as connection:
                keeping.write_fallen(connection, found, self._listened, now)
            self._working.forget()
            return frozenset(row.site_id for rows in found.values() for row in rows)

    def retain(self, now: int) -> int:
        """See ports.Intake."""
        with self._lock:
            before, self._retained = self._retained, (now, self._clock.monotonic())
            if before is None:
                return 0
            elapsed = int((self._retained[1] - before[1]) * 1000)
            if abs(now - before[0] - elapsed) > keeping.CLOCK_TOLERANCE:
                return 0
            with self._writing() as connection:
                return keeping.drop_old(connection, keeping.horizon(connection, now, elapsed))


class _Reader(_Base):
    """What pages, API and commands read; see ports.Reader."""

    def summary(self, scope: Scope, now: int) -> FleetSummary:
        """See ports.Reader."""
        with self._reading() as connection:
            return lists.summary(connection, scope, self._listened_as_stored(connection), now)

    def sites(self, scope: Scope, query: SiteQuery, now: int) -> Page[SiteRow]:
        """See ports.Reader."""
        with self._reading() as connection:
            return lists.site_page(connection, scope, query, self._listened_as_stored(connection), now)

    def site(self, scope: Scope, site: str, now: int) -> SiteDetail | None:
        """See ports.Reader."""
        with self._reading() as connection:
            return details.detail(connection, scope, site, self._listened_as_stored(connection), now)

    def nodes(
        self, scope: Scope, now: int, site_id: str = "", text: str = "", page: int = 1, size: int = 50
    ) -> Page[NodeRow]:
        """See ports.Reader."""
        with self._reading() as connection:
            listened = self._listened_as_stored(connection)
            return lists.node_page(connection, scope, (site_id, text, page, size), listened, now)

    def events(
        self, scope: Scope, site_id: str, before: int | None = None, node_id: str = "", limit: int = 100
    ) -> tuple[EventRow, ...]:
        """See ports.Reader."""
        with self._reading() as connection:
            return histories.events(connection, scope, site_id, (before, node_id, limit))

    def contact_spans(self, scope: Scope, site_id: str, since: int, now: int) -> tuple[Span, ...]:
        """See ports.Reader."""
        with self._reading() as connection:
            return histories.contact_spans(connection, scope, site_id, since, now)

    def health_spans(self, scope: Scope, site_id: str, since: int, now: int) -> tuple[Span, ...]:
        """See ports.Reader."""
        with self._reading() as connection:
            return histories.health_spans(connection, scope, site_id, since, now)

    def metrics(self, scope: Scope, node_id: str, since: int, until: int) -> MetricSeries | None:
        """See ports.Reader."""
        with self._reading() as connection:
            return histories.metrics(connection, scope, node_id, since, until)


class _Registry(_Base):
    """What people change; see ports.Registry."""

    def accounts(self) -> tuple[Account, ...]:
        """See ports.Registry."""
        with self._reading() as connection:
            return registering.all_accounts(connection)

    def put_account(self, account: Account, password_hash: str | None) -> None:
        """See ports.Registry."""
        with self._writing() as connection:
            registering.put_account(connection, account, password_hash)

    def remove_account(self, name: str) -> bool:
        """See ports.Registry."""
        with self._writing() as connection:
            return registering.remove_account(connection, name)

    def password_hash(self, name: str) -> str | None:
        """See ports.Registry."""
        with self._reading() as connection:
            return registering.password_hash(connection, name)

    def open_session(self, digest: str, name: str, now: int, until: int) -> None:
        """See ports.Registry."""
        with self._writing() as connection:
            registering.open_session(connection, digest, name, now, until)

    def session(self, digest: str, now: int) -> Account | None:
        """See ports.Registry."""
        with self._reading() as connection:
            return registering.session(connection, digest, now)

    def close_session(self, digest: str) -> None:
        """See ports.Registry."""
        with self._writing() as connection:
            registering.close_session(connection, digest)

    def customers(self) -> tuple[str, ...]:
        """See ports.Registry."""
        with self._reading() as connection:
            return registering.all_customers(connection)

    def add_customer(self, name: str) -> bool:
        """See ports.Registry."""
        with self._writing() as connection:
            return registering.add_customer(connection, name)

    def assign(self, site_id: str, customer: str) -> bool:
        """See ports.Registry."""
        with self._writing() as connection:
            return registering.assign(connection, site_id, customer)


class SqlStore(_Intake, _Reader, _Registry):
    """The whole store over one database; see ports.Store."""


def open_store(url: str, directory: Path, clock: Clock, entropy: Entropy) -> SqlStore:
    """Open (and make or migrate) the database at `url`, or SQLite's `fleet.db` in `directory` for an empty `url`.

    `entropy(n)` gives n random bytes. Raises StoreFailed; then nothing was changed.
    """
    made: Any = None
    try:
        with translated():
            made = engines.make(url, directory)
        return SqlStore(made, clock, entropy)
    except sa.exc.ArgumentError as error:
        raise StoreFailed("fleet-database-away", f"this is no database address: {error}") from error
    except BaseException:
        if made is not None:
            made.dispose()
        raise
