"""What is said to nodes beyond answers: trust documents, site documents, orders. Implements link.surroundings.Downlink.

Called by the ingest after hellos were committed and when the bell rang, and by the sweeper every few seconds. What is said
is said again at the next contact until the node's hello, or a result, shows that it came.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import structlog

from archipel_contract.link import envelope, topics
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.topics import Down
from archipel_contract.trust.keys import SigningFailed
from archipel_fleet.order_ports import OrderBook
from archipel_fleet.order_records import Due, OrderRow, OrderState, Waiting, needs_nonce
from archipel_fleet.orders import rules, signing
from archipel_fleet.orders.bell import Bell
from archipel_fleet.ports import Keys

REMEMBERED = 20_000  # nodes; one that is forgotten is told once more


@dataclass(frozen=True, slots=True)
class _Told:
    """What a node was told in the connection of the hello with this nonce."""

    nonce: str
    trust: int
    document: bytes = b""


class Sending:
    """See link.surroundings.Downlink."""

    def __init__(self, book: OrderBook, keys: Keys, bell: Bell) -> None:
        self._book = book
        self._keys = keys
        self._bell = bell
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._log = structlog.get_logger("archipel_fleet.orders")

    def waiting(self) -> frozenset[str]:
        """See Downlink."""
        return self._bell.take()

    def again(self, node_ids: Collection[str]) -> None:
        """See Downlink."""
        for one in node_ids:
            self._told.pop(one, None)
        self._bell.ring(node_ids)

    def turn(self, now: int) -> frozenset[str]:
        """See Downlink."""
        sites, nodes = self._book.overdue_orders(now)
        if nodes:
            self._bell.ring(nodes)
        return sites

    def messages(self, node_ids: Collection[str], now: int) -> Iterator[tuple[str, Outgoing]]:
        """See Downlink."""
        due = self._book.due(sorted(node_ids), now)
        try:
            if passed := self._signed_anew(due, now):
                fresh = {one.node_id: one for one in self._book.due(sorted(passed), now)}
                due = tuple(fresh.get(one.node_id, one) for one in due)
            self._look_at_versions(due, now)
            for one in due:
                for channel, wire in self._said(one, now):
                    topic = topics.down(one.shard, one.node_id, channel)
                    yield one.node_id, Outgoing(topic=topic, payload=wire, qos=1)
        except SigningFailed as error:
            self._log.warning("orders cannot be signed now", detail=str(error))

    def _said(self, due: Due, now: int) -> Iterator[tuple[Down, bytes]]:
        """Yield what one node is to be told. Trust and site documents once in a connection: an older one that came after a
        newer one would look like somebody's attempt to go back."""
        told = self._told.get(due.node_id)
        if told is None or told.nonce != due.nonce:
            told = _Told(due.nonce, due.trust)
        for frame in self._keys.frames_after(told.trust):
            yield Down.TRUST, envelope.frame_to_wire(frame)
        if due.document and due.document != told.document:
            yield Down.DOCUMENT, signing.to_wire(due.document)
        newest = max(told.trust, self._keys.trust.document.version)
        self._told[due.node_id] = _Told(due.nonce, newest, due.document or told.document)
        self._told.move_to_end(due.node_id)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        for order in due.orders:
            yield Down.COMMAND, signing.to_wire(self._fresh(order, due, now))

    def _fresh(self, order: Waiting, due: Due, now: int) -> bytes:
        """Return an order's bytes: the signed ones, or for a node that does not know the time an answer to its hello."""
        if not needs_nonce(due) or rules.signatures(signing.command_in(order.frame).action) > 1:
            return order.frame
        return signing.with_nonce(order.frame, due.nonce, now, self._keys.signer)

    def _signed_anew(self, due: Collection[Due], now: int) -> set[str]:
        """Sign with their new counters what was never sent and has been passed; return the ids of the nodes."""
        passed = set()
        for one in due:
            for order in one.orders:
                if order.renumbered:
                    frame = signing.with_counter(order.frame, order.counter, now, self._keys.signer)
                    row = OrderRow(
                        id=order.id, node_id=one.node_id, counter=order.counter, state=OrderState.QUEUED
                    )
                    self._book.sign_again(row, frame)
                    passed.add(one.node_id)
        return passed

    def _look_at_versions(self, due: Collection[Due], now: int) -> None:
        """A node with a newer trust document than ours shows that we are an older copy."""
        ours = self._keys.trust.document.version
        ahead: Mapping[str, str] = {
            one.node_id: f"it has trust document {one.trust}, {ours} is the newest known here"
            for one in due
            if one.trust > ours
        }
        if ahead:
            self._book.older(ahead, now)
