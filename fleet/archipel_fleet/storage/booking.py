"""Orders, site documents and who did what, over one database: gives each call of `order_ports` its transaction."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa

from archipel_fleet.order_records import (
    Addressee,
    Chain,
    Deed,
    DeedRow,
    DocumentRow,
    Due,
    OrderResult,
    OrderRow,
)
from archipel_fleet.records import Scope
from archipel_fleet.storage import auditing, ordering

Opened = Callable[[], AbstractContextManager[sa.Connection]]


class SqlBook:
    """Implements order_ports.OrderBook."""

    def __init__(self, reading: Opened, writing: Opened, incarnation: str) -> None:
        """Take how to open a transaction to read, and one to write."""
        self._reading = reading
        self._writing = writing
        self._incarnation = incarnation

    def orders(
        self, scope: Scope, site_id: str = "", node_id: str = "", before: int | None = None, limit: int = 50
    ) -> tuple[OrderRow, ...]:
        """See order_ports.OrderReader."""
        with self._reading() as connection:
            return ordering.rows(connection, scope, (site_id, node_id, before, limit))

    def order(self, scope: Scope, order_id: str) -> OrderRow | None:
        """See order_ports.OrderReader."""
        with self._reading() as connection:
            return ordering.row(connection, scope, order_id)

    def order_result(self, scope: Scope, order_id: str) -> OrderResult | None:
        """See order_ports.OrderReader."""
        with self._reading() as connection:
            return ordering.result(connection, scope, order_id)

    def addressees(self, scope: Scope, target: str) -> tuple[Addressee, ...]:
        """See order_ports.OrderReader."""
        with self._reading() as connection:
            return ordering.addressees(connection, scope, target)

    def documents(self, scope: Scope, site_id: str, limit: int = 20) -> tuple[DocumentRow, ...]:
        """See order_ports.OrderReader."""
        with self._reading() as connection:
            return ordering.documents(connection, scope, site_id, limit)

    def next_counter(self, node_id: str) -> int:
        """See order_ports.OrderChanges."""
        with self._writing() as connection:
            return ordering.next_counter(connection, node_id)

    def add_order(self, order: OrderRow, frame: bytes) -> None:
        """See order_ports.OrderChanges."""
        with self._writing() as connection:
            ordering.add(connection, order, frame, self._incarnation)

    def order_frame(self, order_id: str) -> bytes:
        """See order_ports.OrderChanges."""
        with self._reading() as connection:
            return ordering.frame_of(connection, order_id)

    def sign_again(self, order: OrderRow, frame: bytes) -> bool:
        """See order_ports.OrderChanges."""
        with self._writing() as connection:
            return ordering.sign_again(connection, order, frame)

    def overtaken(self, order: OrderRow) -> bool:
        """See order_ports.OrderChanges."""
        with self._reading() as connection:
            return ordering.overtaken(connection, order)

    def cancel_order(self, order_id: str, now: int) -> bool:
        """See order_ports.OrderChanges."""
        with self._writing() as connection:
            return ordering.cancel(connection, order_id, now)

    def next_generation(self, site_id: str) -> int:
        """See order_ports.OrderChanges."""
        with self._reading() as connection:
            return ordering.next_generation(connection, site_id)

    def add_document(self, document: DocumentRow, frame: bytes) -> bool:
        """See order_ports.OrderChanges."""
        with self._writing() as connection:
            return ordering.add_document(connection, document, frame)

    def due(self, node_ids: Sequence[str], now: int) -> tuple[Due, ...]:
        """See order_ports.OrderSending."""
        with self._writing() as connection:
            return ordering.give_out(connection, node_ids, self._incarnation, now)

    def overdue_orders(self, now: int) -> tuple[frozenset[str], frozenset[str]]:
        """See order_ports.OrderSending."""
        with self._writing() as connection:
            return ordering.by_the_clock(connection, now)

    def older(self, details: Mapping[str, str], now: int) -> None:
        """See order_ports.OrderSending."""
        with self._writing() as connection:
            ordering.older(connection, details, now)

    def record(self, deed: Deed, now: int) -> None:
        """See order_ports.Ledger."""
        with self._writing() as connection:
            auditing.record(connection, deed, now)

    def deeds(
        self, scope: Scope, site_id: str = "", before: int | None = None, limit: int = 100
    ) -> tuple[DeedRow, ...]:
        """See order_ports.Ledger."""
        with self._reading() as connection:
            return auditing.deeds(connection, scope, site_id, before, limit)

    def verify_deeds(self) -> tuple[Chain, ...]:
        """See order_ports.Ledger."""
        with self._reading() as connection:
            return auditing.verify(connection)
