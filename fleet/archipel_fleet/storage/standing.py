"""What hellos say that matters to orders and to the audit, and the results of orders as they come. Part of a batch.

A hello is signed, but one from before may come again: what it says is taken once, by its nonce. Nodes without an identity
(no nonce) leave no trace here.
"""

import base64
import binascii
import hashlib
from typing import Any

import sqlalchemy as sa

from archipel_contract.audit import ChainHead
from archipel_contract.commands import Result
from archipel_contract.link.envelope import Envelope, payload
from archipel_contract.link.messages import Event, EventKind, Hello
from archipel_contract.wire import to_data
from archipel_fleet.domain.summary import text
from archipel_fleet.order_records import OPEN, RESULT_LIMIT, STATE_OF, OrderState
from archipel_fleet.storage import schema
from archipel_fleet.storage.rows import Node
from archipel_fleet.storage.schema_orders import (
    order_pieces,
    order_results,
    orders,
    site_documents,
    standings,
)

BROKEN = "audit-chain-broken"
OLDER = "fleet-older-than-device"
TOO_LARGE = "order-result-too-large"
DAMAGED = "order-result-damaged"
PIECES_LIMIT = 1024
NONCES = 32  # hellos that are known again
NUMBER_LIMIT = 1 << 62
# An answer counts also for what nobody waits for any more: what happened, happened.
UNANSWERED = (*(str(one) for one in OPEN), str(OrderState.EXPIRED), str(OrderState.CANCELLED))


def _bounded(number: int) -> int:
    return max(-1, min(NUMBER_LIMIT, number))


class Standings:
    """The standings of one batch."""

    def __init__(self, connection: sa.Connection, incarnation: str) -> None:
        self._connection = connection
        self._incarnation = incarnation

    def hello(self, node: Node, said: Hello, received: int) -> int:
        """Take in a hello; return how many entries of the node's audit journal are committed."""
        if not said.nonce:
            return 0
        here = standings.c.node_id == node.node_id
        row = self._connection.execute(sa.select(standings).where(here)).first()
        nonce = text(said.nonce)
        nonces = row.nonces.split() if row is not None else []
        audited = row.audited if row is not None else 0
        if nonce in nonces and row is not None and row.nonce != nonce:
            return int(audited)  # an old one, sent again by somebody: it changes nothing
        values: dict[str, Any] = {
            "accepted": _bounded(said.counter),
            "trust": _bounded(said.trust),
            "desired": _bounded(said.desired),
            "nonce": nonce,
            "clock": node.clock,
            "veto": " ".join(text(one) for one in said.veto[:32]),
            "certificate_until": _bounded(said.certificate_until),
            "incarnation": self._incarnation,
        }
        if nonce not in nonces:
            values["nonces"] = " ".join([*nonces, nonce][-NONCES:])
            values |= self._compared(node, row, said, received)
        if row is None:
            self._connection.execute(sa.insert(standings).values(node_id=node.node_id, **values))
        else:
            self._connection.execute(sa.update(standings).where(here).values(**values))
        self._accepted(node.node_id, _bounded(said.counter))
        return int(values.get("audited", audited))

    def _accepted(self, node_id: str, counter: int) -> None:
        """What was sent and has a counter the node has accepted is in its hands."""
        self._connection.execute(
            sa.update(orders)
            .where(
                orders.c.node_id == node_id,
                orders.c.state == str(OrderState.SENT),
                orders.c.counter <= counter,
                orders.c.incarnation == self._incarnation,
            )
            .values(state=str(OrderState.RUNNING))
        )

    def _compared(self, node: Node, row: Any, said: Hello, received: int) -> dict[str, Any]:
        """Return what changes by what a new hello says beside what is known here."""
        changes: dict[str, Any] = {}
        given = row.counter if row is not None else 0
        newest = self._connection.scalar(
            sa.select(sa.func.max(site_documents.c.generation)).where(
                site_documents.c.site_id == node.site_id
            )
        )
        details = []
        if said.counter > given:
            details.append(f"it has accepted order number {said.counter}, {given} is the highest known here")
            changes["counter"] = _bounded(said.counter)
        if said.desired > (newest if newest is not None else -1) and said.desired > (
            row.desired if row is not None else -1
        ):
            details.append(
                f"it has site document {said.desired}, {newest or 'none'} is the newest known here"
            )
        if details:
            changes |= {"older": "; ".join(details), "older_at": received}
            self.noted(node, OLDER, changes["older"], received)
        broken = self._broken(row, said.audit)
        if broken:
            changes |= {"broken": broken, "broken_at": received}
            changes |= {"chain": (row.chain if row is not None else 0) + 1, "audited": 0, "audit_hash": ""}
            self.noted(node, BROKEN, broken, received)
        return changes

    @staticmethod
    def _broken(row: Any, head: ChainHead | None) -> str:
        if row is None or row.audited == 0:
            return ""
        if head is None or head.count < row.audited:
            return f"{row.audited} entries were sent, the node says it has {head.count if head else 'none'}"
        if head.count == row.audited and head.hash != row.audit_hash:
            return f"entry {head.count} is not the one that was sent before"
        return ""

    def misfit(self, node: Node, problem: str, received: int) -> None:
        """Note that entries of a node's journal do not follow those that are here."""
        self._connection.execute(
            sa.update(standings)
            .where(standings.c.node_id == node.node_id)
            .values(broken=problem[:1000], broken_at=received)
        )
        self.noted(node, BROKEN, problem, received)

    def noted(self, node: Node, code: str, detail: str, at: int) -> None:
        """Put a finding of the fleet about a node into its timeline."""
        note(self._connection, (node.node_id, node.site_id, node.customer), code, detail, at)

    # --- results -----------------------------------------------------------------------------------------------------

    def result(self, node: Node, said: Result, received: int) -> bool:
        """Take in a piece of a result; False where it changes nothing: not this node's order, or answered already."""
        row = self._connection.execute(
            sa.select(orders).where(orders.c.order_id == said.command, orders.c.node_id == node.node_id)
        ).first()
        if row is None or row.state not in UNANSWERED:
            return False
        try:
            data = base64.b64decode(said.data, validate=True)
        except (binascii.Error, ValueError):
            self._end(row, said, received, DAMAGED)
            return True
        pieces = said.pieces if row.have == 0 else row.pieces
        if said.size > RESULT_LIMIT or not 0 < said.pieces <= PIECES_LIMIT or len(data) > RESULT_LIMIT:
            self._end(row, said, received, TOO_LARGE)
        elif said.pieces != pieces or not 0 <= said.piece < pieces:
            self._end(row, said, received, DAMAGED)
        elif pieces == 1:
            self._whole(row, said, data, received)
        else:
            self._piece(row, said, data, received)
        return True

    def _piece(self, row: Any, said: Result, data: bytes, received: int) -> None:
        table, here = order_pieces, order_pieces.c.order_id == row.order_id
        known = self._connection.scalar(sa.select(table.c.piece).where(here, table.c.piece == said.piece))
        if known is not None:
            return
        self._connection.execute(
            sa.insert(table).values(piece=said.piece, received=received, data=data, **_whose(row))
        )
        have, size = self._connection.execute(
            sa.select(sa.func.count(), sa.func.sum(sa.func.length(table.c.data))).where(here)
        ).one()
        if size > min(said.size, RESULT_LIMIT):
            self._end(row, said, received, TOO_LARGE)
        elif have == said.pieces:
            parts = self._connection.scalars(sa.select(table.c.data).where(here).order_by(table.c.piece))
            self._whole(row, said, b"".join(bytes(one) for one in parts), received)
        else:
            state = OrderState.RUNNING if row.state in [str(one) for one in OPEN] else row.state
            self._connection.execute(
                sa.update(orders)
                .where(orders.c.order_id == row.order_id)
                .values(state=str(state), have=have, pieces=said.pieces)
            )

    def _whole(self, row: Any, said: Result, data: bytes, received: int) -> None:
        fits = len(data) == said.size and (hashlib.sha256(data).hexdigest() == said.digest or not data)
        if not fits:
            self._end(row, said, received, DAMAGED)
            return
        if data:
            self._connection.execute(
                sa.insert(order_results).values(received=received, data=data, **_whose(row))
            )
        self._end(row, said, received)

    def _end(self, row: Any, said: Result, received: int, code: str = "") -> None:
        state = OrderState.FAILED if code else STATE_OF[said.outcome]
        self._connection.execute(sa.delete(order_pieces).where(order_pieces.c.order_id == row.order_id))
        self._connection.execute(
            sa.update(orders)
            .where(orders.c.order_id == row.order_id)
            .values(
                state=str(state),
                ended=received,
                outcome=str(said.outcome),
                code=code or text(said.code),
                text=text(said.text, 1000),
                media=text(said.media, 100),
                name=text(said.name, 200),
                size=0 if code else said.size,
                pieces=max(0, min(said.pieces, PIECES_LIMIT)),
                have=0 if code else said.pieces,
                cut=said.cut,
            )
        )


def _whose(row: Any) -> dict[str, str]:
    return {
        "order_id": row.order_id,
        "node_id": row.node_id,
        "site_id": row.site_id,
        "customer": row.customer,
    }


def note(connection: sa.Connection, whose: tuple[str, str, str], code: str, detail: str, at: int) -> None:
    """Put a finding of the fleet about a node (its id, site and customer) into the timeline."""
    node_id, site_id, customer = whose
    events = schema.events
    mine = (events.c.node_id == node_id, events.c.epoch == 0)
    last = connection.scalar(sa.select(sa.func.max(events.c.sequence)).where(*mine)) or 0
    body = Event(
        kind=EventKind.FINDING_APPEARED, subject=code, text=detail[:500], params={"detail": detail[:500]}
    )
    said = Envelope(type="event", sequence=last + 1, at=at, body=to_data(body))
    connection.execute(
        sa.insert(events).values(
            node_id=node_id,
            epoch=0,
            sequence=last + 1,
            customer=customer,
            site_id=site_id,
            at=at,
            sure=True,
            received=at,
            kind=str(body.kind),
            payload=payload(said),
        )
    )
