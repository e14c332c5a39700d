"""What every query needs: the scope as a condition, contact as SQL, rows of the database as rows for readers."""

from typing import Any

import sqlalchemy as sa

from archipel_contract.site import Role
from archipel_contract.status import Health, LinkMode
from archipel_fleet.domain import contact
from archipel_fleet.domain.contact import LISTENING_SLACK, Pulse
from archipel_fleet.records import Contact, ContactState, LastHealth, NodeRow, Scope, SiteRow
from archipel_fleet.storage.rows import HEALTHS, MODES

_ROLES = {str(role): role for role in Role}
_STATES = {str(state): state for state in ContactState}


def within(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition that binds a query on `table` to a scope."""
    return sa.true() if scope.customer is None else table.c.customer == scope.customer


def judged(table: sa.Table, listened: int | None, now: int) -> sa.ColumnElement[str]:
    """Return `domain.contact.judge` as an expression over the columns of `table`."""
    audible = -1 if listened is None else listened + LISTENING_SLACK
    believed = table.c.touch >= now if now <= audible else sa.false()
    return sa.case(
        (sa.or_(table.c.heard.is_(None), table.c.owed.is_(None)), str(ContactState.NEVER)),
        (believed, str(ContactState.CONNECTED)),
        (table.c.calm >= now, str(ContactState.QUIET)),
        (sa.and_(table.c.owed < now, table.c.owed <= audible), str(ContactState.OVERDUE)),
        else_=str(ContactState.UNKNOWN),
    )


def contact_of(row: Any, listened: int | None, now: int) -> Contact:
    """Return the contact of a row of `sites` or `nodes`."""
    pulse = Pulse(row.heard, row.touch, row.calm, row.owed)
    written = (_STATES.get(row.contact, ContactState.NEVER), row.contact_since)
    return contact.contact(pulse, MODES.get(row.mode, LinkMode.UNKNOWN), written, listened, now)


def health_of(row: Any) -> LastHealth:
    """Return the last word on health of a row of `sites` or `nodes`."""
    known = HEALTHS.get(row.health, Health.UNKNOWN)
    return LastHealth(health=known, heard=row.health_heard, since=row.health_since)


def site_row(row: Any, connected: int, listened: int | None, now: int) -> SiteRow:
    """Return a row of `sites` for readers; `connected` nodes are counted by the caller."""
    return SiteRow(
        site_id=row.site_id,
        name=row.name or row.site_id,
        customer=row.customer,
        contact=contact_of(row, listened, now),
        health=health_of(row),
        nodes=row.nodes,
        nodes_connected=connected,
        nodes_ready=row.nodes_ready,
        pods=row.pods,
        pods_ready=row.pods_ready,
        k3s_versions=lines(row.k3s_versions),
        os_names=lines(row.os_names),
        agent_versions=lines(row.agent_versions),
        problems=row.problems,
        warnings=row.warnings,
        worst=row.worst,
        rehearsed=bool(row.rehearsed),
    )


def node_row(row: Any, site_name: str, listened: int | None, now: int) -> NodeRow:
    """Return a row of `nodes` for readers."""
    return NodeRow(
        node_id=row.node_id,
        name=row.name or row.node_id,
        site_id=row.site_id,
        site_name=site_name,
        customer=row.customer,
        role=_ROLES.get(row.role, Role.UNKNOWN),
        contact=contact_of(row, listened, now),
        health=health_of(row),
        k3s_version=row.k3s_version,
        agent_version=row.agent_version,
        os_name=row.os_name,
        model=row.model,
        architecture=row.architecture,
        problems=row.problems,
        warnings=row.warnings,
        clock=row.clock,
        clock_offset_ms=row.clock_offset,
        waiting=row.waiting,
        rehearsed=bool(row.rehearsed),
    )


def lines(text: str) -> tuple[str, ...]:
    """Return the lines of a column that holds several values."""
    return tuple(line for line in text.split("\n") if line)


def holding(text: str) -> str:
    """Return a LIKE pattern that finds `text` anywhere, with its own wildcards made harmless (escape character `!`)."""
    plain = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{plain}%"
