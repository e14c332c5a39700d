"""One site with all that fits on its page: nodes, conditions, findings (its nodes' and the controller's own), pods, gaps."""

import json
from typing import Any

import sqlalchemy as sa

from archipel_contract import catalogue
from archipel_contract.findings import Finding, Fix, Severity
from archipel_contract.link.messages import GapReason
from archipel_contract.status import Truth
from archipel_fleet.domain.reckoning import TOLERANCE
from archipel_fleet.domain.summary import number, text
from archipel_fleet.records import (
    ConditionRow,
    ContactState,
    FindingRow,
    GapRow,
    NodeRow,
    PodRow,
    Scope,
    SiteDetail,
)
from archipel_fleet.storage import noticing, reading, schema
from archipel_fleet.storage.schema import nodes, sites

GAPS_SHOWN = 200
NODES_SHOWN = 500
TWIN_SHOWN = 24 * 3_600_000  # milliseconds after which a second machine that no longer speaks is forgotten
HOLE_PATIENCE = 15 * 60_000  # a hole younger than this may still be on its way
_SEVERITIES = {str(one): one for one in Severity}
_TRUTHS = {str(one): one for one in Truth}
_REASONS = {str(one): one for one in GapReason}


def found_site(connection: sa.Connection, scope: Scope, wanted: str) -> Any:
    """Return the row of a site by id, or by name where exactly one of the scope has it; None otherwise."""
    bound = sa.select(sites).where(reading.within(sites, scope))
    row = connection.execute(bound.where(sites.c.site_id == wanted)).first()
    if row is None:
        named = connection.execute(bound.where(sites.c.name == wanted).limit(2)).fetchall()
        row = named[0] if len(named) == 1 else None
    return row


def detail(
    connection: sa.Connection, scope: Scope, wanted: str, listened: int | None, now: int
) -> SiteDetail | None:
    """Return one site, or None."""
    row = found_site(connection, scope, wanted)
    if row is None:
        return None
    mine = sa.and_(nodes.c.site_id == row.site_id, nodes.c.customer == row.customer)
    members = connection.execute(
        sa.select(nodes).where(mine).order_by(nodes.c.role.desc(), nodes.c.name).limit(NODES_SHOWN)
    ).fetchall()
    shown = tuple(reading.node_row(one, row.name, listened, now) for one in members)
    connected = sum(one.contact.state is ContactState.CONNECTED for one in shown)
    site = reading.site_row(row, connected, listened, now)
    states = _states(connection, row.customer, [one.node_id for one in members])
    speaker = max(members, key=lambda one: (one.cluster_term, one.cluster_heard or 0), default=None)
    findings = [found for one in shown for found in _findings(one, states.get(one.node_id, {}))]
    missing = _missing(connection, shown, now) + noticing.noticed(connection, shown, now)
    own = [found for one, node in zip(members, shown, strict=True) for found in _noticed(one, node, now)]
    return SiteDetail(
        site=site,
        nodes=shown,
        conditions=tuple(found for one in shown for found in _conditions(one, states.get(one.node_id, {}))),
        findings=tuple(
            sorted(
                findings + own + missing,
                key=_gravity,
            )
        ),
        pods=_pods(states.get(speaker.node_id, {})) if speaker is not None else (),
        gaps=_gaps(connection, row, {one.node_id: one.name for one in shown}),
        facts={one.node_id: _map(states.get(one.node_id, {}).get("facts")) for one in shown},
    )


def _gravity(row: FindingRow) -> int:
    order = (Severity.PROBLEM, Severity.WARNING, Severity.UNKNOWN, Severity.HINT)
    return order.index(row.finding.severity)


def _states(connection: sa.Connection, customer: str, node_ids: list[str]) -> dict[str, dict[str, Any]]:
    stored = schema.node_states
    rows = connection.execute(
        sa.select(stored.c.node_id, stored.c.state).where(
            stored.c.node_id.in_(node_ids), stored.c.customer == customer
        )
    )
    return {node_id: _map(json.loads(bytes(state))) for node_id, state in rows}


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _conditions(node: NodeRow, state: dict[str, Any]) -> list[ConditionRow]:
    return [
        ConditionRow(
            node_id=node.node_id,
            node_name=node.name,
            type=text(one.get("type")) or text(key),
            status=_TRUTHS.get(text(one.get("status")), Truth.UNKNOWN),
            reason=text(one.get("reason")),
            message=text(one.get("message"), 2000),
            since=text(one.get("last_transition_time")),
        )
        for key, one in ((key, _map(value)) for key, value in _map(state.get("conditions")).items())
    ]


def _findings(node: NodeRow, state: dict[str, Any]) -> list[FindingRow]:
    return [
        FindingRow(
            finding=finding_from(_map(value)),
            node_id=node.node_id,
            node_name=node.name,
            heard=node.health.heard,
        )
        for value in _map(state.get("findings")).values()
    ]


def finding_from(one: dict[str, Any]) -> Finding:
    """Return a finding as a node said it, whatever is missing or of the wrong type left out."""
    evidence, fix = one.get("evidence"), _map(one.get("fix"))
    return Finding(
        code=text(one.get("code")),
        severity=_SEVERITIES.get(text(one.get("severity")), Severity.UNKNOWN),
        evidence=tuple(text(line, 2000) for line in evidence) if isinstance(evidence, list) else (),
        params={text(key): text(value, 2000) for key, value in _map(one.get("params")).items()},
        since=text(one.get("since")),
        fix=Fix(
            code=text(fix.get("code")),
            restarts=fix.get("restarts") is True,
            usual_seconds=number(fix.get("usual_seconds")),
            reboots=fix.get("reboots") is True,
            undo=fix.get("undo") is True,
        )
        if fix
        else None,
        summary=text(one.get("summary"), 1000),
        next_step=text(one.get("next_step"), 1000),
    )


def _clock_said(offset: int) -> str:
    """Return how far a clock is off, from milliseconds, in a person's units: `-1095 d`, `+3 h 20 min`, `+5 min`."""
    minutes = abs(offset) // 60_000
    hours, left = divmod(minutes, 60)
    amount = f"{minutes} min" if hours < 2 else f"{hours} h {left} min" if hours < 48 else f"{hours // 24} d"
    return f"{'+' if offset > 0 else '-'}{amount}"


def _noticed(row: Any, node: NodeRow, now: int) -> list[FindingRow]:
    """What the store itself notices about a node; what silence means is said by those who explain contact."""
    found = []
    if row.twin_at is not None and now - row.twin_at < TWIN_SHOWN:
        hostnames = {"first": row.twin, "second": row.hostname or node.name}
        found.append(catalogue.finding("fleet-node-id-twice", (), None, node=node.name, **hostnames))
    offset = row.clock_offset
    if offset is not None and abs(offset) > TOLERANCE:
        found.append(
            catalogue.finding("fleet-clock-off", (), None, node=node.name, offset=_clock_said(offset))
        )
    return [
        FindingRow(
            finding=one,
            node_id=node.node_id,
            node_name=node.name,
            heard=node.contact.last_heard,
            by_controller=True,
        )
        for one in found
    ]


def _missing(connection: sa.Connection, shown: tuple[NodeRow, ...], now: int) -> list[FindingRow]:
    """Sequences that nobody declared lost and that did not come for a while."""
    table, names = schema.received, {one.node_id: one for one in shown}
    rows = connection.execute(
        sa.select(
            table.c.node_id,
            sa.func.sum(table.c.holes).label("missing"),
            sa.func.max(table.c.updated).label("heard"),
        )
        .where(table.c.node_id.in_(names), table.c.holes > 0, table.c.updated < now - HOLE_PATIENCE)
        .group_by(table.c.node_id)
    )
    return [
        FindingRow(
            finding=catalogue.finding(
                "fleet-sequence-missing", (), None, node=names[row.node_id].name, count=str(row.missing)
            ),
            node_id=row.node_id,
            node_name=names[row.node_id].name,
            heard=row.heard,
            by_controller=True,
        )
        for row in rows
    ]


def _pods(state: dict[str, Any]) -> tuple[PodRow, ...]:
    pods = (_map(one) for one in _map(state.get("pods")).values())
    return tuple(
        PodRow(
            namespace=text(one.get("namespace")),
            name=text(one.get("name")),
            node=text(one.get("node")),
            phase=text(one.get("phase")),
            ready=one.get("ready") is True,
            restarts=number(one.get("restarts")),
            reason=text(one.get("reason")),
            message=text(one.get("message"), 2000),
        )
        for one in pods
    )


def _gaps(connection: sa.Connection, site: Any, names: dict[str, str]) -> tuple[GapRow, ...]:
    gaps = schema.gaps
    rows = connection.execute(
        sa.select(gaps, gaps.c.count.label("lost"))
        .where(gaps.c.site_id == site.site_id, gaps.c.customer == site.customer)
        .order_by(gaps.c.received.desc(), gaps.c.epoch, gaps.c.first)
        .limit(GAPS_SHOWN)
    )
    return tuple(
        GapRow(
            node_id=row.node_id,
            node_name=names.get(row.node_id, row.node_id),
            epoch=row.epoch,
            first=row.first,
            last=0 if row.last == schema.OPEN_END else row.last,
            reason=_REASONS.get(row.reason, GapReason.UNKNOWN),
            count=row.lost,
            received=row.received,
        )
        for row in rows
    )
