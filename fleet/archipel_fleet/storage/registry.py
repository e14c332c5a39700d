"""Reading the registry of devices: rows for those who show them, bound to a scope, and what enrolment looks up."""

from typing import Any

import sqlalchemy as sa

from archipel_contract.trust.keys import PublicKey, public_key
from archipel_fleet.device_records import (
    Approval,
    CertificateRow,
    DeviceEvent,
    DeviceRow,
    DeviceState,
    TokenRow,
    TokenRule,
)
from archipel_fleet.records import Page, Scope
from archipel_fleet.storage import reading
from archipel_fleet.storage.schema import sites
from archipel_fleet.storage.schema_devices import (
    device_certificates,
    device_events,
    device_requests,
    devices,
    enrolment_tokens,
)

# A revoked certificate stays on the list until well after its end: clocks of brokers are no better than others.
LISTED_AFTER = 90 * 86_400_000

SAID = ("node_id", "customer", "site_id", "site_name", "hostname", "model", "fingerprint", "rehearsed")
_REGISTERED = ("name", "next_key_id", "serial", "issued", "not_after", "approved_by")
_BOTH = ("key_id", "state", "token", "approval", "first_seen", "last_seen")
REQUEST_STATES = (DeviceState.PENDING, DeviceState.REFUSED)
USUAL = tuple(state for state in DeviceState if state is not DeviceState.REFUSED)


def _approval(text: str) -> Approval | None:
    return Approval(text) if text else None


# Where a site of a device stands in the fleet, its name there is shown; before that, what the device said.
_SITE = sa.select(sites.c.name).where(sites.c.site_id == devices.c.site_id).scalar_subquery()
_SHOWN = (
    *(one for one in devices.c if one.name != "site_name"),
    sa.func.coalesce(_SITE, devices.c.site_name).label("site_name"),
)


def device_from(row: Any) -> DeviceRow:
    """Return the device of a row of `devices`."""
    named = {name: getattr(row, name) for name in (*SAID, *_BOTH, *_REGISTERED)}
    named |= {"state": DeviceState(row.state), "approval": _approval(row.approval)}
    return DeviceRow(**named)


def request_from(row: Any) -> DeviceRow:
    """Return the request of a row of `device_requests`."""
    named = {name: getattr(row, name) for name in (*SAID, *_BOTH, "claim", "code", "approved_by")}
    named |= {"state": DeviceState(row.state), "approval": _approval(row.approval)}
    return DeviceRow(**named)


def certificate(row: Any) -> CertificateRow:
    """Return the certificate of a row."""
    names = ("serial", "node_id", "key_id", "issued", "not_after", "pem", "revoked")
    return CertificateRow(**{name: getattr(row, name) for name in names})


def token_from(row: Any) -> TokenRow:
    """Return the token of a row."""
    names = ("digest", "made_by", "made", "expires", "uses", "site_id", "customer", "label")
    named = {name: getattr(row, name) for name in names}
    return TokenRow(id=row.token_id, left=row.uses_left, rule=TokenRule(row.rule), **named)


def _matching(table: sa.Table, scope: Scope, text: str) -> list[sa.ColumnElement[bool]]:
    where = [reading.within(table, scope)]
    if text:
        pattern = reading.holding(text.lower())
        names = [one for one in ("name", "hostname", "node_id", "site_name", "claim") if one in table.c]
        where.append(sa.or_(*(sa.func.lower(table.c[one]).like(pattern, escape="!") for one in names)))
    return where


def page_of(
    connection: sa.Connection,
    scope: Scope,
    states: tuple[DeviceState, ...],
    text: str,
    page: tuple[int, int],
) -> Page[DeviceRow]:
    """Return a page of requests, the oldest first, then devices by name; `page` is its number and size."""
    wanted = states or USUAL
    number, size = page
    first = (number - 1) * size
    asked = [
        *_matching(device_requests, scope, text),
        device_requests.c.state.in_([one for one in wanted if one in REQUEST_STATES]),
    ]
    kept = [
        *_matching(devices, scope, text),
        devices.c.state.in_([one for one in wanted if one not in REQUEST_STATES]),
    ]
    waiting = _count(connection, device_requests, asked)
    total = waiting + _count(connection, devices, kept)
    order = (device_requests.c.first_seen, device_requests.c.node_id, device_requests.c.key_id)
    rows = [
        request_from(row)
        for row in connection.execute(
            sa.select(device_requests)
            .where(*asked)
            .order_by(*order)
            .limit(max(0, size))
            .offset(max(0, first))
        )
    ]
    left = size - len(rows)
    if left > 0:
        rows += [
            device_from(row)
            for row in connection.execute(
                sa.select(*_SHOWN)
                .where(*kept)
                .order_by(sa.func.lower(devices.c.name), devices.c.node_id)
                .limit(left)
                .offset(max(0, first - waiting))
            )
        ]
    return Page(rows=tuple(rows), total=total, page=number, size=size)


def _count(connection: sa.Connection, table: sa.Table, where: list[sa.ColumnElement[bool]]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def device(connection: sa.Connection, node_id: str, lock: bool = False) -> DeviceRow | None:
    """Return a device by its node id; with `lock` nobody else changes it until the transaction ends."""
    wanted = sa.select(devices).where(devices.c.node_id == node_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    return None if row is None else device_from(row)


def named(connection: sa.Connection, scope: Scope, name: str) -> DeviceRow | None:
    """Return a device by node id, or by name where it is the only one within the scope."""
    within = reading.within(devices, scope)
    wanted = sa.select(*_SHOWN).where(within, sa.or_(devices.c.node_id == name, devices.c.name == name))
    rows = connection.execute(wanted.limit(2)).fetchall()
    exact = [row for row in rows if row.node_id == name] or rows
    return device_from(exact[0]) if len(exact) == 1 else None


def by_key(connection: sa.Connection, key_id: str) -> tuple[DeviceRow, PublicKey] | None:
    """Return the active device with this key, and the key."""
    row = connection.execute(
        sa.select(devices).where(
            sa.or_(devices.c.key_id == key_id, devices.c.next_key_id == key_id),
            devices.c.state == DeviceState.ACTIVE,
        )
    ).first()
    if row is None:
        return None
    return device_from(row), public_key(row.public if row.key_id == key_id else row.next_public)


def request(connection: sa.Connection, scope: Scope, claim: str) -> DeviceRow | None:
    """Return a request by its claim code."""
    within = reading.within(device_requests, scope)
    row = connection.execute(
        sa.select(device_requests).where(within, device_requests.c.claim == claim)
    ).first()
    return None if row is None else request_from(row)


def requests_of(connection: sa.Connection, scope: Scope, node_id: str) -> tuple[DeviceRow, ...]:
    """Return the requests that wait for one node id, the oldest first."""
    rows = connection.execute(
        sa.select(device_requests)
        .where(
            reading.within(device_requests, scope),
            device_requests.c.node_id == node_id,
            device_requests.c.state == DeviceState.PENDING,
        )
        .order_by(device_requests.c.first_seen, device_requests.c.key_id)
    )
    return tuple(request_from(row) for row in rows)


def tokens(connection: sa.Connection, scope: Scope) -> tuple[TokenRow, ...]:
    """Return the tokens of a scope, the newest first; one of no customer belongs to those who see all."""
    wanted = sa.select(enrolment_tokens)
    if scope.customer is not None:
        wanted = wanted.where(enrolment_tokens.c.customer == scope.customer)
    order = (enrolment_tokens.c.made.desc(), enrolment_tokens.c.token_id)
    return tuple(token_from(row) for row in connection.execute(wanted.order_by(*order)))


def events(connection: sa.Connection, scope: Scope, limit: int, node_id: str) -> tuple[DeviceEvent, ...]:
    """Return what happened, newest first; to one node, if one is named."""
    of_node = device_events.c.node_id == node_id if node_id else sa.true()
    rows = connection.execute(
        sa.select(device_events)
        .where(reading.within(device_events, scope), of_node)
        .order_by(device_events.c.at.desc(), device_events.c.id.desc())
        .limit(limit)
    )
    return tuple(
        DeviceEvent(
            id=row.id, at=row.at, node_id=row.node_id, customer=row.customer, code=row.code, detail=row.detail,
            by=row.actor, count=row.times,
        )
        for row in rows
    )  # fmt: skip


def admitted(connection: sa.Connection) -> dict[str, tuple[str, ...]]:
    """Return the ids of the keys that count now, by node id, of all active devices."""
    wanted = sa.select(devices.c.node_id, devices.c.key_id, devices.c.next_key_id).where(
        devices.c.state == DeviceState.ACTIVE
    )
    return {node: tuple(filter(None, keys)) for node, *keys in connection.execute(wanted)}


def revoked(connection: sa.Connection, now: int) -> tuple[int, ...]:
    """Return the serial numbers of certificates that no broker should take and that have not ended long ago: the revoked
    ones, and those of a key that an active device had before the one it has now.
    """
    table = device_certificates
    replaced = sa.and_(
        devices.c.state == DeviceState.ACTIVE,
        table.c.key_id != devices.c.key_id,
        table.c.key_id != devices.c.next_key_id,
    )
    found = connection.scalars(
        sa.select(table.c.serial)
        .outerjoin(devices, devices.c.node_id == table.c.node_id)
        .where(sa.or_(table.c.revoked.is_not(None), replaced), table.c.not_after > now - LISTED_AFTER)
        .order_by(table.c.serial)
    )
    return tuple(int(serial, 16) for serial in found)
