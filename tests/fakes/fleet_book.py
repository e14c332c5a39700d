"""The fleet's book of orders in memory, over the sites of `fleet_sites`; implements order_ports.OrderBook for who shows it.

Keeps what is ordered and what is written down; nothing is ever sent from here, and results are put in by tests.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from archipel_contract.audit import ChainHead, Entry, appended
from archipel_contract.facts import ClockQuality
from archipel_contract.site import Role
from archipel_fleet.order_records import (
    CANCELLABLE,
    Addressee,
    Chain,
    Deed,
    DeedRow,
    DocumentRow,
    Due,
    OrderResult,
    OrderRow,
    OrderState,
)
from archipel_fleet.records import ContactState, Scope, SiteRow
from tests.fakes import fleet_sites as made


class FakeLedger:
    """Who did what. `sites` returns the sites as they are now."""

    def __init__(self, sites: Callable[[], Sequence[SiteRow]]) -> None:
        self._sites = sites
        self._lock = threading.RLock()
        self._deeds: list[tuple[Deed, int]] = []

    def _seen(self, scope: Scope) -> list[tuple[int, SiteRow]]:
        return [(n, row) for n, row in enumerate(self._sites()) if scope.customer in (None, row.customer)]

    def record(self, deed: Deed, now: int) -> None:
        """See order_ports.Ledger."""
        with self._lock:
            self._deeds.append((deed, now))

    def deeds(
        self, scope: Scope, site_id: str = "", before: int | None = None, limit: int = 100
    ) -> tuple[DeedRow, ...]:
        """See order_ports.Ledger."""
        names = {row.site_id: row.name for _, row in self._seen(scope)}
        found = [
            DeedRow(
                number=number,
                at=at,
                sure=True,
                received=at,
                actor=deed.actor,
                action=deed.action,
                outcome=deed.outcome,
                detail=deed.detail,
                params=deed.params,
                node_id=deed.node_id,
                node_name=deed.node_id,
                site_id=deed.site_id,
                site_name=names.get(deed.site_id, ""),
            )
            for number, (deed, at) in enumerate(self._deeds, 1)
            if scope.customer is None or deed.customer == scope.customer
        ]
        return tuple(
            one
            for one in reversed(found)
            if site_id in ("", one.site_id) and (before is None or one.received < before)
        )[:limit]

    def verify_deeds(self) -> tuple[Chain, ...]:
        """See order_ports.Ledger."""
        head = ChainHead()
        for deed, at in self._deeds:
            bare = Entry(number=0, at=at, clock=ClockQuality.PLAUSIBLE, actor=deed.actor, action=deed.action)
            entry = appended(head, bare)
            head = ChainHead(count=entry.number, hash=entry.hash)
        return (Chain(name="fleet", entries=head.count, hash=head.hash),)


class FakeBook(FakeLedger):
    """See the module. `sites` returns the sites as they are now."""

    def __init__(self, sites: Callable[[], Sequence[SiteRow]]) -> None:
        super().__init__(sites)
        self._orders: dict[str, tuple[OrderRow, bytes]] = {}
        self._counters: dict[str, int] = {}
        self._documents: list[DocumentRow] = []
        self.results: dict[str, OrderResult] = {}
        self.identified = True
        self.ended: dict[str, str] = {}
        """Node id -> `revoked` or `decommissioned`."""

    # --- reading -----------------------------------------------------------------------------------------------------

    def orders(
        self, scope: Scope, site_id: str = "", node_id: str = "", before: int | None = None, limit: int = 50
    ) -> tuple[OrderRow, ...]:
        """See order_ports.OrderReader."""
        mine = {row.site_id for _, row in self._seen(scope)}
        with self._lock:
            found = [
                one
                for one, _ in reversed(self._orders.values())
                if one.site_id in mine
                and site_id in ("", one.site_id)
                and node_id in ("", one.node_id)
                and (before is None or one.issued < before)
            ]
        return tuple(found[:limit])

    def order(self, scope: Scope, order_id: str) -> OrderRow | None:
        """See order_ports.OrderReader."""
        return next((one for one in self.orders(scope, limit=10_000) if one.id == order_id), None)

    def order_result(self, scope: Scope, order_id: str) -> OrderResult | None:
        """See order_ports.OrderReader."""
        return self.results.get(order_id) if self.order(scope, order_id) is not None else None

    def addressees(self, scope: Scope, target: str) -> tuple[Addressee, ...]:
        """See order_ports.OrderReader."""
        every = [(row, node) for n, row in self._seen(scope) for node in made.node_rows(n)]
        of_site = [(row, node) for row, node in every if target in (row.site_id, row.name)]
        found = of_site or [(row, node) for row, node in every if target in (node.node_id, node.name)]
        return tuple(
            Addressee(
                node_id=node.node_id,
                name=node.name,
                site_id=row.site_id,
                customer=row.customer,
                is_server=node.role is Role.SERVER,
                connected=node.contact.state is ContactState.CONNECTED,
                identified=self.identified,
                ended=self.ended.get(node.node_id, ""),
            )
            for row, node in found
        )

    def documents(self, scope: Scope, site_id: str, limit: int = 20) -> tuple[DocumentRow, ...]:
        """See order_ports.OrderReader."""
        mine = {row.site_id for _, row in self._seen(scope)} & {site_id}
        return tuple(one for one in reversed(self._documents) if one.site_id in mine)[:limit]

    # --- changing ----------------------------------------------------------------------------------------------------

    def next_counter(self, node_id: str) -> int:
        """See order_ports.OrderChanges."""
        with self._lock:
            self._counters[node_id] = self._counters.get(node_id, 0) + 1
            return self._counters[node_id]

    def add_order(self, order: OrderRow, frame: bytes) -> None:
        """See order_ports.OrderChanges."""
        with self._lock:
            self._orders[order.id] = (order, frame)

    def order_frame(self, order_id: str) -> bytes:
        """See order_ports.OrderChanges."""
        return self._orders[order_id][1] if order_id in self._orders else b""

    def sign_again(self, order: OrderRow, frame: bytes) -> bool:
        """See order_ports.OrderChanges."""
        known = self._orders[order.id][0]
        if known.sends or known.state not in (OrderState.WAITING, OrderState.QUEUED):
            return False
        changed = replace(known, counter=order.counter, state=order.state, signed_by=order.signed_by)
        self._orders[order.id] = (changed, frame)
        return True

    def overtaken(self, order: OrderRow) -> bool:
        """See order_ports.OrderChanges."""
        return self._counters.get(order.node_id, 0) > order.counter

    def cancel_order(self, order_id: str, now: int) -> bool:
        """See order_ports.OrderChanges."""
        known, frame = self._orders[order_id]
        if known.state not in CANCELLABLE:
            return False
        self._orders[order_id] = (replace(known, state=OrderState.CANCELLED, ended=now), frame)
        return True

    def next_generation(self, site_id: str) -> int:
        """See order_ports.OrderChanges."""
        return max((one.generation for one in self._documents if one.site_id == site_id), default=0) + 1

    def add_document(self, document: DocumentRow, frame: bytes) -> bool:
        """See order_ports.OrderChanges."""
        self._documents.append(document)
        return True

    def becomes(
        self, order_id: str, state: OrderState, result: OrderResult | None = None, text: str = "it is done"
    ) -> None:
        """Have an order come to this, for tests."""
        known, frame = self._orders[order_id]
        size, media = (len(result.data), result.media) if result is not None else (0, "")
        changed = replace(known, state=state, ended=known.issued + 2000, size=size, media=media, text=text)
        self._orders[order_id] = (changed, frame)
        if result is not None:
            self.results[order_id] = result

    # --- sending -----------------------------------------------------------------------------------------------------

    def due(self, node_ids: Sequence[str], now: int) -> tuple[Due, ...]:
        """Not the business of this fake."""
        raise NotImplementedError

    def overdue_orders(self, now: int) -> tuple[frozenset[str], frozenset[str]]:
        """Not the business of this fake."""
        raise NotImplementedError

    def older(self, details: Mapping[str, str], now: int) -> None:
        """Not the business of this fake."""
        raise NotImplementedError
