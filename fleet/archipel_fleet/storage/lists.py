"""Lists and numbers of the fleet: sites by page, nodes by page, the summary. Contact is judged inside the database."""

import itertools
from typing import Any

import sqlalchemy as sa

from archipel_fleet.records import (
    ContactState,
    FleetSummary,
    NodeRow,
    Page,
    Scope,
    SiteQuery,
    SiteRow,
    SiteSort,
    Span,
)
from archipel_fleet.storage import reading, schema
from archipel_fleet.storage.schema import nodes, sites

PAGE_LIMIT = 500
AWAY_SHOWN = 10
CHOICES_SHOWN = 100
# Overdue first: that is what somebody must look at; never heard and unknown before what is as it should be.
_CONTACT_ORDER = (
    ContactState.OVERDUE,
    ContactState.UNKNOWN,
    ContactState.NEVER,
    ContactState.QUIET,
    ContactState.CONNECTED,
)


def site_page(
    connection: sa.Connection, scope: Scope, query: SiteQuery, listened: int | None, now: int
) -> Page[SiteRow]:
    """Return a page of the sites that the query matches."""
    state = reading.judged(sites, listened, now)
    where = _matching(scope, query, state)
    size, page = max(1, min(query.size, PAGE_LIMIT)), max(1, query.page)
    total = connection.scalar(sa.select(sa.func.count()).select_from(sites).where(where)) or 0
    rows = connection.execute(
        sa.select(sites).where(where).order_by(*_order(query, state)).limit(size).offset((page - 1) * size)
    ).fetchall()
    connected = connected_nodes(connection, [row.site_id for row in rows], listened, now)
    found = tuple(reading.site_row(row, connected.get(row.site_id, 0), listened, now) for row in rows)
    return Page(rows=found, total=total, page=page, size=size)


def _matching(scope: Scope, query: SiteQuery, state: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    found = [reading.within(sites, scope)]
    if query.text:
        pattern = reading.holding(query.text.lower())
        found.append(
            sa.or_(
                sa.func.lower(sites.c.name).like(pattern, escape="!"),
                sites.c.site_id.like(pattern, escape="!"),
            )
        )
    if query.contact:
        found.append(state.in_([str(one) for one in query.contact]))
    if query.health:
        found.append(sites.c.health.in_([str(one) for one in query.health]))
    if query.customer:
        found.append(sites.c.customer == query.customer)
    for column, sign, value in (
        (sites.c.k3s_versions, "\n", query.k3s_version),
        (sites.c.os_names, "\n", query.os_name),
        (sites.c.codes, " ", query.finding),
    ):
        if value:
            found.append(column.like(reading.holding(f"{sign}{value}{sign}"), escape="!"))
    if query.rehearsed is not None:
        found.append(sites.c.rehearsed.is_(query.rehearsed))
    return sa.and_(*found)


def _order(query: SiteQuery, state: sa.ColumnElement[str]) -> list[sa.ColumnElement[Any]]:
    name = sa.func.lower(sites.c.name)
    keys: dict[SiteSort, sa.ColumnElement[Any]] = {
        SiteSort.NAME: name,
        SiteSort.CONTACT: sa.case(
            *((state == str(one), place) for place, one in enumerate(_CONTACT_ORDER)),
            else_=len(_CONTACT_ORDER),
        ),
        SiteSort.HEALTH: sites.c.health_rank,
        SiteSort.HEARD: sa.func.coalesce(sites.c.heard, -1),
        SiteSort.K3S: sites.c.k3s_versions,
    }
    key = keys[query.sort]
    return [key.desc() if query.descending else key.asc(), name.asc(), sites.c.site_id.asc()]


def connected_nodes(
    connection: sa.Connection, site_ids: list[str], listened: int | None, now: int
) -> dict[str, int]:
    """Return how many nodes of each of these sites are connected."""
    if not site_ids:
        return {}
    state = reading.judged(nodes, listened, now)
    rows = connection.execute(
        sa.select(nodes.c.site_id, sa.func.count())
        .where(nodes.c.site_id.in_(site_ids), state == str(ContactState.CONNECTED))
        .group_by(nodes.c.site_id)
    )
    return {site_id: count for site_id, count in rows}


def node_page(
    connection: sa.Connection, scope: Scope, asked: tuple[str, str, int, int], listened: int | None, now: int
) -> Page[NodeRow]:
    """Return a page of nodes; `asked` is (site id, part of a name or id, page, size)."""
    site_id, text, page, size = asked
    size, page = max(1, min(size, PAGE_LIMIT)), max(1, page)
    where = [reading.within(nodes, scope)]
    if site_id:
        where.append(nodes.c.site_id == site_id)
    if text:
        pattern = reading.holding(text.lower())
        where.append(
            sa.or_(
                sa.func.lower(nodes.c.name).like(pattern, escape="!"),
                nodes.c.node_id.like(pattern, escape="!"),
            )
        )
    total = connection.scalar(sa.select(sa.func.count()).select_from(nodes).where(*where)) or 0
    rows = connection.execute(
        sa.select(nodes, sites.c.name.label("site_name"))
        .join(sites, sites.c.site_id == nodes.c.site_id)
        .where(*where)
        .order_by(sa.func.lower(sites.c.name), nodes.c.site_id, sa.func.lower(nodes.c.name), nodes.c.node_id)
        .limit(size)
        .offset((page - 1) * size)
    )
    found = tuple(reading.node_row(row, row.site_name or row.site_id, listened, now) for row in rows)
    return Page(rows=found, total=total, page=page, size=size)


def summary(connection: sa.Connection, scope: Scope, listened: int | None, now: int) -> FleetSummary:
    """Return the fleet in numbers."""
    within = reading.within(sites, scope)
    state = reading.judged(sites, listened, now)
    spans = connection.execute(
        sa.select(schema.listening).order_by(schema.listening.c.since.desc()).limit(AWAY_SHOWN + 1)
    ).fetchall()
    away = tuple(
        Span(since=earlier.until, until=later.since, state="away")
        for later, earlier in itertools.pairwise(spans)
    )
    return FleetSummary(
        sites=connection.scalar(sa.select(sa.func.count()).select_from(sites).where(within)) or 0,
        nodes=connection.scalar(
            sa.select(sa.func.count()).select_from(nodes).where(reading.within(nodes, scope))
        )
        or 0,
        contact=_counted(connection, state, within),
        health=_counted(connection, sites.c.health, within),
        rehearsed=connection.scalar(
            sa.select(sa.func.count()).select_from(sites).where(within, sites.c.rehearsed.is_(True))
        )
        or 0,
        controller_since=spans[0].since if spans else 0,
        away=away,
        customers=_counted(connection, sites.c.customer, within),
        k3s_versions=_split(_counted(connection, sites.c.k3s_versions, within)),
        os_names=_split(_counted(connection, sites.c.os_names, within)),
    )


def _counted(
    connection: sa.Connection, key: sa.ColumnElement[str], within: sa.ColumnElement[bool]
) -> dict[str, int]:
    rows = connection.execute(
        sa.select(key.label("key"), sa.func.count()).where(within).group_by(sa.text("1"))
    )
    return dict(sorted((str(value), count) for value, count in rows))


def _split(counts: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text, count in counts.items():
        for line in reading.lines(text):
            found[line] = found.get(line, 0) + count
    return dict(sorted(found.items())[:CHOICES_SHOWN])
