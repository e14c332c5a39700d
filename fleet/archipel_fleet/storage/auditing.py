"""Who did what: the journals of devices as they come, checked against what is here; and the fleet's own journal.

Every journal is a chain (`archipel_contract.audit`). A device's that does not go on where it ended here is not believed to
be the same: what is here stays as it is, what comes is kept as another chain, and the break is noted. Called by the batch
path and by the store.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from archipel_contract.audit import (
    AuditEntries,
    ChainBroken,
    ChainHead,
    Entry,
    appended,
    followed,
)
from archipel_contract.facts import ClockQuality
from archipel_contract.wire import WireError, from_data, to_data
from archipel_fleet.order_records import Chain, Deed, DeedRow
from archipel_fleet.records import Scope
from archipel_fleet.storage import reading, schema
from archipel_fleet.storage.schema_orders import device_audit, fleet_audit, standings

HEAD = "audit"  # name of the row of `meta` that says where the fleet's own journal ends
DEEDS_LIMIT = 1000
PARAMS_LIMIT = 1000  # characters of one
FLEET = "fleet"


def text_of(entry: Entry) -> str:
    """Return an entry as it is kept: compact JSON."""
    return json.dumps(to_data(entry), separators=(",", ":"))


def entry_from(text: str) -> Entry:
    """Return a kept entry; raise WireError."""
    try:
        return from_data(Entry, json.loads(text))
    except ValueError as error:
        raise WireError(str(error)) from error


# --- the fleet's own -----------------------------------------------------------------------------------------------


def record(connection: sa.Connection, deed: Deed, now: int) -> None:
    """Append a deed to the fleet's own journal."""
    meta = schema.meta
    where = meta.c.name == HEAD
    said = connection.scalar(sa.select(meta.c.value).where(where).with_for_update())
    if said is None:
        connection.execute(sa.insert(meta).values(name=HEAD, value=""))
    head = _head(said or "")
    whose = {"site": deed.site_id, "node": deed.node_id}
    params = {key: value[:PARAMS_LIMIT] for key, value in {**deed.params, **whose}.items() if value}
    bare = Entry(
        number=0,
        at=now,
        clock=ClockQuality.PLAUSIBLE,
        actor=deed.actor,
        action=deed.action,
        outcome=deed.outcome,
        detail=deed.detail,
        params=params,
    )
    entry = appended(head, bare)
    connection.execute(
        sa.insert(fleet_audit).values(
            number=entry.number,
            at=now,
            customer=deed.customer,
            site_id=deed.site_id,
            node_id=deed.node_id,
            entry=text_of(entry),
        )
    )
    connection.execute(sa.update(meta).where(where).values(value=f"{entry.number}:{entry.hash}"))


def _head(said: str) -> ChainHead:
    count, _, digest = said.partition(":")
    return ChainHead(count=int(count) if count.isascii() and count.isdigit() else 0, hash=digest)


# --- devices' ------------------------------------------------------------------------------------------------------


def receive(
    connection: sa.Connection, whose: dict[str, str], said: AuditEntries, when: tuple[int, bool]
) -> str | None:
    """Keep what a device sent of its journal; return what does not fit, empty where all does.

    `whose` are node_id, site_id and customer; `when` is when it came, and whether messages sent before it are still on their
    way: then None, and nothing kept, where entries before these are missing. What is here already has no second effect.
    """
    received, waits = when
    if not said.entries:
        return ""
    node_id = whose["node_id"]
    chain, head = _known(connection, node_id)
    again = [one for one in said.entries if one.number <= head.count]
    fresh = [one for one in said.entries if one.number > head.count]
    problem = _changed(connection, node_id, chain, again)
    if problem:
        fresh = list(said.entries)
    elif fresh and fresh[0].number > head.count + 1:
        if waits:
            return None
        problem = f"entries {head.count + 1} to {fresh[0].number - 1} are missing"
    elif fresh and fresh[0].before != head.hash:
        problem = f"entry {fresh[0].number} does not follow entry {head.count} that was sent before"
    if problem:  # another journal than the one that is here, from where it begins
        chain, head = chain + 1, ChainHead(count=fresh[0].number - 1, hash=fresh[0].before)
    try:
        end = followed(head, fresh)
    except ChainBroken as error:
        fresh = [one for one in fresh if one.number < error.number]
        end = followed(head, fresh)
        problem = f"{problem}; {error}" if problem else str(error)
    _keep(connection, whose, chain, fresh, received)
    here = standings.c.node_id == node_id
    values = {"chain": chain, "audited": end.count, "audit_hash": end.hash}
    if connection.execute(sa.update(standings).where(here).values(**values)).rowcount == 0:
        connection.execute(sa.insert(standings).values(node_id=node_id, **values))
    return problem


def _known(connection: sa.Connection, node_id: str) -> tuple[int, ChainHead]:
    row = connection.execute(
        sa.select(standings.c.chain, standings.c.audited, standings.c.audit_hash).where(
            standings.c.node_id == node_id
        )
    ).first()
    return (0, ChainHead()) if row is None else (row.chain, ChainHead(count=row.audited, hash=row.audit_hash))


def _changed(connection: sa.Connection, node_id: str, chain: int, again: Sequence[Entry]) -> str:
    """Return what of entries that are here already is not the same any more."""
    if not again:
        return ""
    rows = connection.execute(
        sa.select(device_audit.c.number, device_audit.c.entry).where(
            device_audit.c.node_id == node_id,
            device_audit.c.chain == chain,
            device_audit.c.number >= again[0].number,
            device_audit.c.number <= again[-1].number,
        )
    )
    here = {row.number: row.entry for row in rows}
    differing = [one.number for one in again if one.number in here and here[one.number] != text_of(one)]
    return f"entry {differing[0]} is not the one that was sent before" if differing else ""


def _keep(
    connection: sa.Connection, whose: dict[str, str], chain: int, entries: Iterable[Entry], received: int
) -> None:
    rows = [
        {
            **whose,
            "chain": chain,
            "number": one.number,
            "at": max(-(1 << 62), min(1 << 62, one.at)),
            "sure": one.clock is ClockQuality.SYNCHRONIZED,
            "received": received,
            "entry": text_of(one),
        }
        for one in entries
    ]
    if rows:
        connection.execute(sa.insert(device_audit), rows)


# --- reading -------------------------------------------------------------------------------------------------------


def deeds(
    connection: sa.Connection, scope: Scope, site_id: str, before: int | None, limit: int
) -> tuple[DeedRow, ...]:
    """Return who did what, the newest first."""
    most = max(1, min(limit, DEEDS_LIMIT))
    found = [
        *_of(connection, fleet_audit, fleet_audit.c.at, (scope, site_id, before, most)),
        *_of(connection, device_audit, device_audit.c.received, (scope, site_id, before, most)),
    ]
    return tuple(sorted(found, key=lambda one: (-one.received, one.by_device, -one.number))[:most])


def _of(
    connection: sa.Connection, table: sa.Table, when: Any, asked: tuple[Scope, str, int | None, int]
) -> list[DeedRow]:
    scope, site_id, before, limit = asked
    where = [reading.within(table, scope)]
    if site_id:
        where.append(table.c.site_id == site_id)
    if before is not None:
        where.append(when < before)
    nodes, sites = schema.nodes, schema.sites
    node = sa.and_(nodes.c.node_id == table.c.node_id, nodes.c.customer == table.c.customer)
    site = sa.and_(sites.c.site_id == table.c.site_id, sites.c.customer == table.c.customer)
    rows = connection.execute(
        sa.select(table, nodes.c.name.label("node_name"), sites.c.name.label("site_name"))
        .outerjoin(nodes, node)
        .outerjoin(sites, site)
        .where(*where)
        .order_by(when.desc(), table.c.number.desc())
        .limit(limit)
    )
    return [_row(row, table is device_audit) for row in rows]


def _row(row: Any, by_device: bool) -> DeedRow:
    try:
        entry = entry_from(row.entry)
    except WireError:
        entry = Entry(number=row.number, at=row.at, clock=ClockQuality.UNKNOWN, actor="?", action="?")
    return DeedRow(
        number=row.number,
        at=row.at,
        sure=bool(row.sure) if by_device else True,
        received=row.received if by_device else row.at,
        actor=entry.actor[:200],
        action=entry.action,
        outcome=entry.outcome[:200],
        detail=entry.detail,
        params=entry.params,
        node_id=row.node_id,
        node_name=row.node_name or row.node_id,
        site_id=row.site_id,
        site_name=row.site_name or row.site_id,
        by_device=by_device,
    )


# --- checking ------------------------------------------------------------------------------------------------------


def verify(connection: sa.Connection) -> tuple[Chain, ...]:
    """Check every chain as it is kept, the fleet's own first."""
    said = connection.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.name == HEAD)) or "0:"
    own = connection.execute(sa.select(fleet_audit).order_by(fleet_audit.c.number))
    found = [_checked(FLEET, ((row.number, row.entry, _own_misfit(row)) for row in own), _head(said), True)]
    rows = connection.execute(
        sa.select(standings.c.node_id, standings.c.chain, standings.c.audited, standings.c.audit_hash)
        .where(standings.c.audited > 0)
        .order_by(standings.c.node_id)
    ).fetchall()
    for row in rows:
        head = ChainHead(count=row.audited, hash=row.audit_hash)
        kept = connection.execute(
            sa.select(device_audit)
            .where(device_audit.c.node_id == row.node_id, device_audit.c.chain == row.chain)
            .order_by(device_audit.c.number)
        )
        found.append(_checked(row.node_id, ((one.number, one.entry, "") for one in kept), head, False))
    return tuple(found)


def _own_misfit(row: Any) -> str:
    """Columns beside the entry are what a list is made by, so they must not say something else."""
    try:
        entry = entry_from(row.entry)
    except WireError:
        return ""
    same = (entry.at, entry.params.get("site", ""), entry.params.get("node", ""))
    return "" if same == (row.at, row.site_id, row.node_id) else "time, site or node were changed"


def _checked(name: str, rows: Iterable[tuple[int, str, str]], end: ChainHead, from_first: bool) -> Chain:
    """Follow a chain to its end. What retention has dropped of a device's journal is no break: it begins later then."""
    head, count = ChainHead(), 0
    for number, text, misfit in rows:
        try:
            entry = entry_from(text)
            if count == 0 and not from_first:
                head = ChainHead(count=number - 1, hash=entry.before)
            head = followed(head, [entry])
            count += 1
        except (WireError, ChainBroken) as error:
            return Chain(name=name, entries=count, hash=head.hash, problem=f"entry {number}: {error}")
        if misfit:
            return Chain(name=name, entries=count, hash=head.hash, problem=f"entry {number}: {misfit}")
    kept = count > 0 or from_first
    if kept and head != end:
        problem = f"it ends with entry {head.count}, but entry {end.count} was written"
        return Chain(name=name, entries=count, hash=head.hash, problem=problem)
    return Chain(name=name, entries=count, hash=head.hash)
