"""A site over time: its timeline, its contact and health as spans, a node's samples."""

import itertools
import json
import math
from typing import Any

import sqlalchemy as sa

from archipel_contract.link.messages import METRIC_NAMES, EventKind
from archipel_fleet.domain import health, spans
from archipel_fleet.domain.contact import HOUR
from archipel_fleet.domain.summary import text
from archipel_fleet.records import ContactState, EventRow, MetricSeries, Scope, Span
from archipel_fleet.storage import reading, schema
from archipel_fleet.storage.moving import LEFT

EVENTS_LIMIT = 1000
_KINDS = {str(one): one for one in EventKind}


def events(
    connection: sa.Connection, scope: Scope, site_id: str, asked: tuple[int | None, str, int]
) -> tuple[EventRow, ...]:
    """Return a site's timeline, newest first; `asked` is (before, node id, limit)."""
    before, node_id, limit = asked
    table, nodes = schema.events, schema.nodes
    where = [table.c.site_id == site_id, reading.within(table, scope)]
    if before is not None:
        where.append(table.c.at < before)
    if node_id:
        where.append(table.c.node_id == node_id)
    # A node's name is shown only as long as it belongs to the customer whose event this is.
    named = sa.and_(nodes.c.node_id == table.c.node_id, nodes.c.customer == table.c.customer)
    rows = connection.execute(
        sa.select(table, nodes.c.name)
        .outerjoin(nodes, named)
        .where(*where)
        .order_by(table.c.at.desc(), table.c.epoch.desc(), table.c.sequence.desc())
        .limit(max(1, min(limit, EVENTS_LIMIT)))
    )
    return tuple(_event(row) for row in rows)


def _event(row: Any) -> EventRow:
    body = _body(bytes(row.payload))
    params = body.get("params")
    return EventRow(
        node_id=row.node_id,
        node_name=row.name or row.node_id,
        site_id=row.site_id,
        kind=_KINDS.get(row.kind, EventKind.UNKNOWN),
        at=row.at,
        sure=bool(row.sure),
        received=row.received,
        subject=text(body.get("subject")),
        before=text(body.get("before")),
        after=text(body.get("after")),
        text=text(body.get("text"), 2000),
        params={text(key): text(value, 2000) for key, value in params.items()}
        if isinstance(params, dict)
        else {},
        epoch=row.epoch,
        sequence=row.sequence,
    )


def _body(payload: bytes) -> dict[str, Any]:
    """Return the body in the exact bytes of an envelope; what is no JSON object shows as an event without words."""
    try:
        body = json.loads(payload).get("b")
    except (ValueError, AttributeError):
        return {}
    return body if isinstance(body, dict) else {}


def contact_spans(
    connection: sa.Connection, scope: Scope, site_id: str, since: int, now: int
) -> tuple[Span, ...]:
    """Return a site's contact over time; when nobody listened it is unknown, whatever is thought of it since."""
    table = schema.contact_points
    bound = sa.and_(table.c.site_id == site_id, reading.within(table, scope))
    if not _there(connection, scope, site_id):
        return ()
    points = _points(connection, table, bound, (table.c.at, table.c.state), since)
    found = spans.spans_of([(row.at, row.state) for row in points], since, now, str(ContactState.NEVER))
    return spans.overlaid(found, _away(connection, since, now), str(ContactState.UNKNOWN), now)


def _there(connection: sa.Connection, scope: Scope, site_id: str) -> bool:
    sites = schema.sites
    where = (sites.c.site_id == site_id, reading.within(sites, scope))
    return connection.execute(sa.select(sites.c.site_id).where(*where)).first() is not None


def _points(
    connection: sa.Connection,
    table: sa.Table,
    bound: sa.ColumnElement[bool],
    columns: tuple[Any, ...],
    since: int,
) -> list[Any]:
    """Return the points since a time, and for each owner the last one before."""
    owner = [table.c.node_id] if "node_id" in table.c else [table.c.site_id]
    last = (
        sa.select(*owner, sa.func.max(table.c.at).label("at"))
        .where(bound, table.c.at <= since)
        .group_by(*owner)
        .subquery()
    )
    before = sa.select(*columns).where(
        bound, table.c.at == last.c.at, *(column == last.c[column.name] for column in owner)
    )
    after = sa.select(*columns).where(bound, table.c.at > since)
    return list(connection.execute(before).fetchall()) + list(connection.execute(after).fetchall())


def _away(connection: sa.Connection, since: int, now: int) -> list[tuple[int, int]]:
    """Return the times between two stretches of listening; what was before the first and is after the last is not ours."""
    table = schema.listening
    rows = connection.execute(sa.select(table).where(table.c.since <= now).order_by(table.c.since)).fetchall()
    holes = [(earlier.until, later.since) for earlier, later in itertools.pairwise(rows)]
    return [(begun, end) for begun, end in holes if end > since and end > begun]


def health_spans(
    connection: sa.Connection, scope: Scope, site_id: str, since: int, now: int
) -> tuple[Span, ...]:
    """Return a site's health over time, made of what its nodes said, whenever they said it."""
    table = schema.health_points
    if not _there(connection, scope, site_id):
        return ()
    bound = sa.and_(table.c.site_id == site_id, reading.within(table, scope))
    columns = (table.c.node_id, table.c.at, table.c.epoch, table.c.sequence, table.c.state)
    by_node: dict[str, list[tuple[int, str]]] = {}
    for row in sorted(_points(connection, table, bound, columns, since), key=lambda row: tuple(row)[1:4]):
        by_node.setdefault(row.node_id, []).append((row.at, row.state))
    parts = [spans.spans_of(points, since, now, LEFT) for points in by_node.values()]

    def choose(states: Any) -> str:
        return health.gravest(state for state in states if state != LEFT)

    found = spans.combined(parts, choose, now)
    return found or (Span(since=since, until=None, state=health.gravest(())),)


def metrics(
    connection: sa.Connection, scope: Scope, node_id: str, since: int, until: int
) -> MetricSeries | None:
    """Return a node's samples from `since` to `until`; None for a node that is not in this scope."""
    nodes, table = schema.nodes, schema.metrics
    there = sa.select(nodes.c.node_id).where(nodes.c.node_id == node_id, reading.within(nodes, scope))
    if connection.execute(there).first() is None:
        return None
    rows = connection.execute(
        sa.select(table.c.hour, table.c.points).where(
            table.c.node_id == node_id,
            reading.within(table, scope),
            table.c.hour >= since // HOUR,
            table.c.hour <= until // HOUR,
        )
    )
    points = sorted(
        (point for row in rows for point in _read(row.hour * HOUR, row.points) if since <= point[0] <= until),
        key=lambda point: point[0],
    )
    return MetricSeries(
        node_id=node_id,
        at=tuple(at for at, _ in points),
        values={
            name: tuple(values[place] if place < len(values) else None for _, values in points)
            for place, name in enumerate(METRIC_NAMES)
        },
    )


def _read(start: int, points: str) -> list[tuple[int, list[float | None]]]:
    found = []
    for line in points.splitlines():
        offset, *values = line.split(" ")
        numbers = [None if one in ("-", "") else float(one) for one in values]
        found.append(
            (start + int(offset), [one if one is None or math.isfinite(one) else None for one in numbers])
        )
    return found
