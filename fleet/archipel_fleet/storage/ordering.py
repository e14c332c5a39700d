"""The queue of orders and the site documents of the fleet: written, read, given out to be sent. See `order_ports`.

A counter is given out once and only grows, also in a database that is an older copy: there what nodes say they have accepted
counts. An order's bytes change only as long as it was never sent. Called by the store in one transaction each.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from archipel_contract.commands import Action, Outcome
from archipel_contract.facts import ClockQuality
from archipel_fleet.order_records import (
    CANCELLABLE,
    SENDABLE,
    Addressee,
    DocumentRow,
    Due,
    OrderResult,
    OrderRow,
    OrderState,
    Waiting,
)
from archipel_fleet.records import Scope
from archipel_fleet.storage import details, reading, schema
from archipel_fleet.storage.giving_up import ENDED, give_up
from archipel_fleet.storage.schema_devices import devices
from archipel_fleet.storage.schema_orders import (
    order_pieces,
    order_results,
    orders,
    site_documents,
    standings,
)
from archipel_fleet.storage.standing import OLDER, note

ORDERS_LIMIT = 500
NODES_LIMIT = 500
AGAIN_AFTER = (
    300_000  # milliseconds after which an order without an answer is sent once more to a node that is there
)
RUNNING_LIMIT = (
    30 * 86_400_000
)  # milliseconds past its expiry that the result of a running order is waited for
_ACTIONS = {str(one): one for one in Action}
_STATES = {str(one): one for one in OrderState}
_OUTCOMES = {str(one): one for one in Outcome}
_SENDABLE = tuple(str(one) for one in SENDABLE)


# --- reading ---------------------------------------------------------------------------------------------------------


def rows(
    connection: sa.Connection, scope: Scope, asked: tuple[str, str, int | None, int]
) -> tuple[OrderRow, ...]:
    """Return orders, the newest first; `asked` is (site id, node id, before, limit)."""
    site_id, node_id, before, limit = asked
    where = [reading.within(orders, scope)]
    where += [orders.c.site_id == site_id] if site_id else []
    where += [orders.c.node_id == node_id] if node_id else []
    where += [orders.c.issued < before] if before is not None else []
    found = connection.execute(
        _named()
        .where(*where)
        .order_by(orders.c.issued.desc(), orders.c.order_id)
        .limit(max(1, min(limit, ORDERS_LIMIT)))
    )
    return tuple(_row(row) for row in found)


def row(connection: sa.Connection, scope: Scope, order_id: str) -> OrderRow | None:
    """Return one order."""
    found = connection.execute(
        _named().where(orders.c.order_id == order_id, reading.within(orders, scope))
    ).first()
    return None if found is None else _row(found)


def _named() -> "sa.Select[Any]":
    nodes = schema.nodes
    mine = sa.and_(nodes.c.node_id == orders.c.node_id, nodes.c.customer == orders.c.customer)
    return sa.select(orders, nodes.c.name.label("node_name")).outerjoin(nodes, mine)


def _row(found: Any) -> OrderRow:
    return OrderRow(
        id=found.order_id,
        node_id=found.node_id,
        node_name=found.node_name or found.node_id,
        site_id=found.site_id,
        customer=found.customer,
        action=_ACTIONS.get(found.action, Action.UNKNOWN),
        arguments=json.loads(found.arguments or "{}"),
        state=_STATES.get(found.state, OrderState.FAILED),
        counter=found.counter,
        asked_by=found.asked_by,
        signed_by=found.signed_by,
        issued=found.issued,
        expires=found.expires,
        sent=found.sent,
        sends=found.sends,
        ended=found.ended,
        outcome=_OUTCOMES.get(found.outcome, Outcome.UNKNOWN) if found.outcome else None,
        code=found.code,
        text=found.text,
        media=found.media,
        name=found.name,
        size=found.size,
        pieces=found.pieces,
        have=found.have,
        cut=bool(found.cut),
    )


def result(connection: sa.Connection, scope: Scope, order_id: str) -> OrderResult | None:
    """Return what came of an order."""
    found = connection.execute(
        sa.select(order_results.c.data, orders.c.media, orders.c.name, orders.c.cut)
        .join(orders, orders.c.order_id == order_results.c.order_id)
        .where(
            order_results.c.order_id == order_id,
            reading.within(orders, scope),
            reading.within(order_results, scope),
        )
    ).first()
    if found is None:
        return None
    return OrderResult(media=found.media, name=found.name, data=bytes(found.data), cut=bool(found.cut))


def addressees(connection: sa.Connection, scope: Scope, target: str) -> tuple[Addressee, ...]:
    """Return the nodes of a site, or one node."""
    nodes = schema.nodes
    site = details.found_site(connection, scope, target)
    if site is not None:
        return _addressees(
            connection, sa.and_(nodes.c.site_id == site.site_id, nodes.c.customer == site.customer)
        )
    one = _addressees(connection, sa.and_(nodes.c.node_id == target, reading.within(nodes, scope)))
    if one:
        return one
    named = _addressees(connection, sa.and_(nodes.c.name == target, reading.within(nodes, scope)))
    return named if len(named) == 1 else ()


def _addressees(connection: sa.Connection, where: sa.ColumnElement[bool]) -> tuple[Addressee, ...]:
    nodes = schema.nodes
    found = connection.execute(
        sa.select(nodes.c.node_id, nodes.c.name, nodes.c.site_id, nodes.c.customer, nodes.c.role, nodes.c.connected,
                  standings.c.nonce, standings.c.veto, devices.c.state.label("device"))
        .outerjoin(standings, standings.c.node_id == nodes.c.node_id)
        .outerjoin(devices, devices.c.node_id == nodes.c.node_id)
        .where(where)
        .order_by(nodes.c.role.desc(), nodes.c.name, nodes.c.node_id)
        .limit(NODES_LIMIT)
    )  # fmt: skip
    return tuple(
        Addressee(
            node_id=one.node_id,
            name=one.name or one.node_id,
            site_id=one.site_id,
            customer=one.customer,
            is_server=one.role == "server",
            connected=bool(one.connected),
            veto=tuple((one.veto or "").split()),
            identified=bool(one.nonce),
            ended=one.device if one.device in ENDED else "",
        )
        for one in found
    )


# --- changing --------------------------------------------------------------------------------------------------------


def next_counter(connection: sa.Connection, node_id: str) -> int:
    """Give out the next counter of a node."""
    here = standings.c.node_id == node_id
    found = connection.execute(
        sa.select(standings.c.counter, standings.c.accepted).where(here).with_for_update()
    ).first()
    if found is None:
        connection.execute(sa.insert(standings).values(node_id=node_id, counter=1))
        return 1
    counter: int = max(found.counter, found.accepted) + 1
    connection.execute(sa.update(standings).where(here).values(counter=counter))
    return counter


def add(connection: sa.Connection, order: OrderRow, frame: bytes, incarnation: str) -> None:
    """Put an order into the queue."""
    connection.execute(
        sa.insert(orders).values(
            order_id=order.id,
            node_id=order.node_id,
            site_id=order.site_id,
            customer=order.customer,
            counter=order.counter,
            action=str(order.action),
            arguments=json.dumps(order.arguments, separators=(",", ":")),
            state=str(order.state),
            incarnation=incarnation,
            asked_by=order.asked_by,
            signed_by=order.signed_by,
            issued=order.issued,
            expires=order.expires,
            frame=frame,
        )
    )


def frame_of(connection: sa.Connection, order_id: str) -> bytes:
    """Return the bytes of an order."""
    found = connection.scalar(sa.select(orders.c.frame).where(orders.c.order_id == order_id))
    return b"" if found is None else bytes(found)


def sign_again(connection: sa.Connection, order: OrderRow, frame: bytes) -> bool:
    """Exchange the bytes of an order that was never sent."""
    done = connection.execute(
        sa.update(orders)
        .where(
            orders.c.order_id == order.id,
            orders.c.sends == 0,
            orders.c.state.in_((str(OrderState.WAITING), str(OrderState.QUEUED))),
        )
        .values(frame=frame, counter=order.counter, state=str(order.state), signed_by=order.signed_by)
    )
    return done.rowcount > 0


def overtaken(connection: sa.Connection, order: OrderRow) -> bool:
    """Whether a higher counter than an order's was given out."""
    counter = connection.scalar(sa.select(standings.c.counter).where(standings.c.node_id == order.node_id))
    return counter is None or counter > order.counter


def cancel(connection: sa.Connection, order_id: str, now: int) -> bool:
    """Cancel an order."""
    states = [str(one) for one in CANCELLABLE]
    done = connection.execute(
        sa.update(orders)
        .where(orders.c.order_id == order_id, orders.c.state.in_(states))
        .values(state=str(OrderState.CANCELLED), ended=now)
    )
    return done.rowcount > 0


def next_generation(connection: sa.Connection, site_id: str) -> int:
    """Return the next generation of a site's document."""
    newest = connection.scalar(
        sa.select(sa.func.max(site_documents.c.generation)).where(site_documents.c.site_id == site_id)
    )
    members = sa.select(schema.nodes.c.node_id).where(schema.nodes.c.site_id == site_id)
    desired = connection.scalar(
        sa.select(sa.func.max(standings.c.desired)).where(standings.c.node_id.in_(members))
    )
    return max(newest or 0, desired or 0) + 1


def add_document(connection: sa.Connection, document: DocumentRow, frame: bytes) -> bool:
    """Keep a site document."""
    table = site_documents
    customer = connection.scalar(
        sa.select(schema.sites.c.customer).where(schema.sites.c.site_id == document.site_id)
    )
    there = connection.scalar(
        sa.select(table.c.generation).where(
            table.c.site_id == document.site_id, table.c.generation >= document.generation
        )
    )
    if customer is None or there is not None:
        return False
    connection.execute(
        sa.insert(table).values(
            site_id=document.site_id,
            generation=document.generation,
            customer=customer,
            asked_by=document.asked_by,
            issued=document.issued,
            frame=frame,
        )
    )
    return True


def documents(connection: sa.Connection, scope: Scope, site_id: str, limit: int) -> tuple[DocumentRow, ...]:
    """Return the site documents of a site, the newest first."""
    table = site_documents
    found = connection.execute(
        sa.select(table.c.site_id, table.c.generation, table.c.asked_by, table.c.issued)
        .where(table.c.site_id == site_id, reading.within(table, scope))
        .order_by(table.c.generation.desc())
        .limit(max(1, min(limit, ORDERS_LIMIT)))
    )
    return tuple(
        DocumentRow(site_id=one.site_id, generation=one.generation, asked_by=one.asked_by, issued=one.issued)
        for one in found
    )


# --- sending ---------------------------------------------------------------------------------------------------------


def _heard(
    connection: sa.Connection, node_ids: Sequence[str], incarnation: str
) -> tuple[dict[str, Any], dict[str, list[Any]], dict[str, Any]]:
    """Return of these nodes: what their hellos said; their open orders; the newest document of each site. All by id."""
    nodes = schema.nodes
    said = connection.execute(
        sa.select(standings, nodes.c.shard, nodes.c.site_id, nodes.c.customer)
        .join(nodes, nodes.c.node_id == standings.c.node_id)
        .where(
            standings.c.node_id.in_(node_ids),
            standings.c.incarnation == incarnation,
            standings.c.nonce != "",
            nodes.c.connected.is_(True),
        )
    )
    heard = {one.node_id: one for one in said}
    waiting: dict[str, list[Any]] = {}
    if heard:
        found = connection.execute(
            sa.select(orders)
            .where(orders.c.node_id.in_(heard), orders.c.state.in_(_SENDABLE))
            .order_by(orders.c.counter)
        )
        for one in found:
            # What was ordered when the node was somebody else's is not for the one whose it is now.
            if one.customer == heard[one.node_id].customer:
                waiting.setdefault(one.node_id, []).append(one)
    return heard, waiting, _newest(connection, {one.site_id for one in heard.values()})


def _newest(connection: sa.Connection, site_ids: set[str]) -> dict[str, Any]:
    table = site_documents
    if not site_ids:
        return {}
    last = (
        sa.select(table.c.site_id, sa.func.max(table.c.generation).label("generation"))
        .where(table.c.site_id.in_(site_ids))
        .group_by(table.c.site_id)
        .subquery()
    )
    found = connection.execute(
        sa.select(table).join(
            last, sa.and_(table.c.site_id == last.c.site_id, table.c.generation == last.c.generation)
        )
    )
    return {one.site_id: one for one in found}


def give_out(
    connection: sa.Connection, node_ids: Sequence[str], incarnation: str, now: int
) -> tuple[Due, ...]:
    """Return what is to be said to these nodes, and note the orders as sent."""
    heard, waiting, newest = _heard(connection, node_ids, incarnation)
    made = []
    for node_id, said in heard.items():
        found = [
            _waiting(connection, one, said, now) for one in waiting.get(node_id, ()) if one.expires > now
        ]
        document = newest.get(said.site_id)
        fits = document is not None and document.customer == said.customer
        made.append(
            Due(
                node_id=node_id,
                shard=said.shard,
                site_id=said.site_id,
                nonce=said.nonce,
                clock_is_sure=said.clock == str(ClockQuality.SYNCHRONIZED),
                trust=said.trust,
                orders=tuple(sorted(found, key=lambda one: one.counter)),
                document=bytes(document.frame)
                if document is not None and fits and document.generation > said.desired
                else b"",
            )
        )
    return tuple(made)


def _waiting(connection: sa.Connection, found: Any, said: Any, now: int) -> Waiting:
    """Note one order as sent. One that was never sent but has a counter the node has passed is to get a new one first,
    unless this database is a restored copy: then it may have been done already, and its old bytes are the way to find
    out."""
    one = orders.c.order_id == found.order_id
    passed = found.sends == 0 and found.counter <= said.accepted and found.incarnation == said.incarnation
    if passed and not found.signed_by:
        counter = next_counter(connection, found.node_id)
        return Waiting(id=found.order_id, counter=counter, frame=bytes(found.frame), renumbered=True)
    state = OrderState.SENT if found.state == str(OrderState.QUEUED) else OrderState(found.state)
    connection.execute(
        sa.update(orders).where(one).values(state=str(state), sent=now, sends=orders.c.sends + 1)
    )
    return Waiting(id=found.order_id, counter=found.counter, frame=bytes(found.frame))


def by_the_clock(connection: sa.Connection, now: int) -> tuple[frozenset[str], frozenset[str]]:
    """Write down what expired, and what is for a device that was ended; return the sites where, and the connected nodes with
    something that is to be sent.
    """
    early = [str(one) for one in CANCELLABLE]
    ended = sa.or_(
        sa.and_(orders.c.state.in_(early), orders.c.expires <= now),
        sa.and_(orders.c.state == str(OrderState.RUNNING), orders.c.expires <= now - RUNNING_LIMIT),
    )
    over = connection.execute(sa.select(orders.c.order_id, orders.c.site_id).where(ended)).fetchall()
    if over:
        ids = [one.order_id for one in over]
        connection.execute(
            sa.update(orders)
            .where(orders.c.order_id.in_(ids))
            .values(state=str(OrderState.EXPIRED), ended=now)
        )
        connection.execute(sa.delete(order_pieces).where(order_pieces.c.order_id.in_(ids)))
    for_nobody = give_up(connection, now)
    nodes = schema.nodes
    again = sa.or_(orders.c.sent.is_(None), orders.c.sent <= now - AGAIN_AFTER)
    found = connection.scalars(
        sa.select(orders.c.node_id)
        .join(nodes, nodes.c.node_id == orders.c.node_id)
        .where(orders.c.state.in_(_SENDABLE), nodes.c.connected.is_(True), again, orders.c.expires > now)
        .distinct()
    )
    return frozenset(one.site_id for one in over) | for_nobody, frozenset(found)


def older(connection: sa.Connection, said: Mapping[str, str], now: int) -> None:
    """Note that this database is an older copy than what nodes have accepted."""
    nodes = schema.nodes
    for node_id, detail in said.items():
        here = standings.c.node_id == node_id
        if connection.scalar(sa.select(standings.c.older).where(here)) == detail:
            continue
        connection.execute(sa.update(standings).where(here).values(older=detail, older_at=now))
        row = connection.execute(
            sa.select(nodes.c.node_id, nodes.c.site_id, nodes.c.customer).where(nodes.c.node_id == node_id)
        ).first()
        if row is not None:
            note(connection, (row.node_id, row.site_id, row.customer), OLDER, detail, now)
