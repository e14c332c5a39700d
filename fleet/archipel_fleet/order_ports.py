"""The ports of orders and of the audit, which the store implements. All calls block and may be made from any thread;
StoreFailed is raised as in `ports`. Calls for people are bound to a Scope.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

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


class OrderReader(Protocol):
    """What pages, API and commands read."""

    def orders(
        self, scope: Scope, site_id: str = "", node_id: str = "", before: int | None = None, limit: int = 50
    ) -> tuple[OrderRow, ...]:
        """Return orders, the newest first; `before` (a time of issue) goes on from there."""
        ...

    def order(self, scope: Scope, order_id: str) -> OrderRow | None:
        """Return one order."""
        ...

    def order_result(self, scope: Scope, order_id: str) -> OrderResult | None:
        """Return what came of an order; None while not all of it is here, or when it was not kept so long."""
        ...

    def addressees(self, scope: Scope, target: str) -> tuple[Addressee, ...]:
        """Return the nodes of a site (by id, or name where it is the only one), or one node (likewise); none if there is
        nothing of that name.
        """
        ...

    def documents(self, scope: Scope, site_id: str, limit: int = 20) -> tuple[DocumentRow, ...]:
        """Return the site documents the fleet has signed for a site, the newest first."""
        ...


class OrderChanges(Protocol):
    """What orders write."""

    def next_counter(self, node_id: str) -> int:
        """Return a counter for a node that was never given out, and is above what the node has accepted."""
        ...

    def add_order(self, order: OrderRow, frame: bytes) -> None:
        """Put a signed order into the queue."""
        ...

    def order_frame(self, order_id: str) -> bytes:
        """Return the exact bytes of an order's frame; empty if there is none."""
        ...

    def sign_again(self, order: OrderRow, frame: bytes) -> bool:
        """Give an order that was never sent other bytes, with the counter, the state and `signed_by` of `order`; False if
        it was sent, or is over.
        """
        ...

    def overtaken(self, order: OrderRow) -> bool:
        """Whether a higher counter than this order's was given out for its node, so that it might be refused."""
        ...

    def cancel_order(self, order_id: str, now: int) -> bool:
        """Cancel an order that has not come back; False if it is over, or runs."""
        ...

    def next_generation(self, site_id: str) -> int:
        """Return the generation of a site's next document: above all we signed and all its nodes have accepted."""
        ...

    def add_document(self, document: DocumentRow, frame: bytes) -> bool:
        """Keep a signed site document; False if that generation is there already, or the site is not."""
        ...


class OrderSending(Protocol):
    """What the link asks when a node was heard, and what happens by the clock."""

    def due(self, node_ids: Sequence[str], now: int) -> tuple[Due, ...]:
        """Return what is to be said to these nodes, as far as they are connected and have said hello to this life of the
        database. Orders are noted as sent before they are returned.
        """
        ...

    def overdue_orders(self, now: int) -> tuple[frozenset[str], frozenset[str]]:
        """Write down which orders expired; return the ids of the sites where, and of the nodes to which something is to be
        said (again).
        """
        ...

    def older(self, details: Mapping[str, str], now: int) -> None:
        """Note that nodes (by id) have accepted what this database knows nothing of: it is an older copy."""
        ...


class Ledger(Protocol):
    """Who did what."""

    def record(self, deed: Deed, now: int) -> None:
        """Write down what was done at the fleet, as the next of its chain."""
        ...

    def deeds(
        self, scope: Scope, site_id: str = "", before: int | None = None, limit: int = 100
    ) -> tuple[DeedRow, ...]:
        """Return what was done at the fleet and on devices, the newest (by `received`) first; of one site, or of all."""
        ...

    def verify_deeds(self) -> tuple[Chain, ...]:
        """Check every chain from its first entry; the fleet's own first."""
        ...


class OrderBook(OrderReader, OrderChanges, OrderSending, Ledger, Protocol):
    """All of it."""
