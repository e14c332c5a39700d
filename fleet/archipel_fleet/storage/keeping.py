"""What the store does by the clock: notes that it listens, writes down who fell silent, drops what is too old."""

from typing import Any

import sqlalchemy as sa

from archipel_fleet.domain.contact import HOUR, LISTENING_SLACK, Pulse, changed_at, resumed
from archipel_fleet.records import ContactState
from archipel_fleet.storage import bulk, reading, schema, schema_orders

DAY = 24 * HOUR
SLICE = 20_000  # rows that one run deletes from one table at most
# How much faster than time itself the horizon of retention may move: a clock that jumps cannot outrun a person noticing.
CATCHING_UP = 10
CLOCK_TOLERANCE = 5 * 60_000  # by which wall and monotonic clock may part between two runs; milliseconds

_POINTS = bulk.upsert(schema.contact_points, ("site_id", "at", "customer", "state"), ("site_id", "at"))


def stretch(connection: sa.Connection) -> tuple[int, int] | None:
    """Return the last stretch of listening: since, until; None before the first."""
    table = schema.listening
    row = connection.execute(
        sa.select(table).order_by(table.c.until.desc(), table.c.since.desc()).limit(1)
    ).first()
    return None if row is None else (row.since, row.until)


def continues(last: tuple[int, int], since: int, now: int) -> bool:
    """Return whether listening since `since` until `now` is the last stretch going on."""
    return since <= last[1] + LISTENING_SLACK and abs(now - last[1]) <= LISTENING_SLACK


def extend(connection: sa.Connection, stretch: tuple[int, int], now: int) -> None:
    """Note that the stretch lasts until `now`."""
    table = schema.listening
    connection.execute(sa.update(table).where(table.c.since == stretch[0]).values(until=now))


def begin(connection: sa.Connection, last: tuple[int, int] | None, since: int, now: int) -> tuple[int, int]:
    """Begin a new stretch of listening: whoever was not overdue gets a whole grace again, no connection is believed."""
    table = schema.listening
    if last is not None and since <= last[1]:
        since = now  # the caller did not notice that it was away, or that the clock jumped
    connection.execute(sa.delete(table).where(table.c.since >= since))  # of a clock that was ahead
    connection.execute(sa.update(table).where(table.c.until > since).values(until=since))
    connection.execute(sa.insert(table).values(since=since, until=now))
    _resume(connection, last[1] if last is not None else since, since)
    write_fallen(connection, fallen(connection, since, since), since, since)
    return (since, now)


def _resume(connection: sa.Connection, ended: int, since: int) -> None:
    nodes = schema.nodes
    rows = connection.execute(
        sa.select(
            nodes.c.node_id, nodes.c.heard, nodes.c.touch, nodes.c.calm, nodes.c.owed, nodes.c.grace
        ).where(nodes.c.heard.is_not(None))
    ).fetchall()
    changed = []
    for row in rows:
        pulse = resumed(Pulse(row.heard, row.touch, row.calm, row.owed), row.grace, ended, since)
        changed.append((pulse.heard, pulse.touch, pulse.calm, pulse.owed, row.node_id))
    sql = "UPDATE nodes SET heard = ?, touch = ?, calm = ?, owed = ?, confirmed = NULL WHERE node_id = ?"
    _many(connection, sql, changed)
    for name in ("heard", "touch", "calm", "owed"):
        newest = sa.select(sa.func.max(nodes.c[name])).where(
            nodes.c.site_id == schema.sites.c.site_id, nodes.c.speaks.is_(True)
        )
        connection.execute(sa.update(schema.sites).values({name: newest.scalar_subquery()}))


def _many(connection: sa.Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(sql.replace("?", mark), rows)


def fallen(connection: sa.Connection, listened: int | None, now: int) -> dict[str, list[Any]]:
    """Return the rows of `sites` and `nodes` whose contact is another one than what is written down, with `becomes`."""
    return {table.name: _fallen(connection, table, listened, now) for table in (schema.sites, schema.nodes)}


def _fallen(connection: sa.Connection, table: sa.Table, listened: int | None, now: int) -> list[Any]:
    state = reading.judged(table, listened, now)
    key = table.c.site_id if table is schema.sites else table.c.node_id
    columns = (table.c.heard, table.c.touch, table.c.calm, table.c.owed, table.c.customer, table.c.site_id)
    query = sa.select(key.label("key"), *columns, state.label("becomes")).where(state != table.c.contact)
    return list(connection.execute(query).fetchall())


def write_fallen(
    connection: sa.Connection, found: dict[str, list[Any]], listened: int | None, now: int
) -> None:
    """Write down what `fallen` found, each at the moment at which it became so."""
    for name, rows in found.items():
        changed, points = [], []
        for row in rows:
            pulse = Pulse(row.heard, row.touch, row.calm, row.owed)
            at = changed_at(pulse, ContactState(row.becomes), listened, now)
            changed.append((row.becomes, at, row.key))
            points.append((row.key, at, row.customer, row.becomes))
        key = "site_id" if name == "sites" else "node_id"
        _many(connection, f"UPDATE {name} SET contact = ?, contact_since = ? WHERE {key} = ?", changed)
        if name == "sites":
            bulk.write(connection, _POINTS, points)


# What is kept for how long, by the controller's clock: table, column in which unit of time, days.
KEPT = (
    (schema.events, schema.events.c.received, 1, 400),
    (schema.gaps, schema.gaps.c.received, 1, 400),
    (schema.metrics, schema.metrics.c.hour, HOUR, 14),
    (schema.contact_points, schema.contact_points.c.at, 1, 400),
    (schema.health_points, schema.health_points.c.at, 1, 400),
    (schema.listening, schema.listening.c.until, 1, 400),
    (schema_orders.orders, schema_orders.orders.c.issued, 1, 400),
    (schema_orders.order_pieces, schema_orders.order_pieces.c.received, 1, 60),
    (schema_orders.order_results, schema_orders.order_results.c.received, 1, 90),
    (schema_orders.device_audit, schema_orders.device_audit.c.received, 1, 800),
    (schema.received, schema.received.c.updated, 1, 800),  # longer than events: they must not be taken twice
)


def horizon(connection: sa.Connection, now: int, elapsed: int) -> int:
    """Return up to which moment history is counted as past by retention, and write it down.

    It is `now`, but moves at most CATCHING_UP times as fast as `elapsed` (milliseconds of the monotonic clock).
    """
    meta = schema.meta
    stored = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "horizon"))
    reached = min(now, int(stored or "0") + CATCHING_UP * elapsed)
    connection.execute(sa.update(meta).where(meta.c.name == "horizon").values(value=str(reached)))
    return reached


def drop_old(connection: sa.Connection, reached: int) -> int:
    """Delete at most SLICE rows of each table that are older than kept; return how many."""
    count = 0
    for table, column, unit, days in KEPT:
        limit = (reached - days * DAY) // unit
        old = column < limit
        if table is schema.contact_points or table is schema.health_points:
            old = sa.and_(old, _superseded(table, limit))
        keys = list(table.primary_key.columns)
        slice_ = sa.select(*keys).where(old).limit(SLICE).subquery()
        here = sa.exists().where(*(slice_.c[key.name] == key for key in keys))
        count += connection.execute(sa.delete(table).where(here)).rowcount
    return count


def _superseded(table: sa.Table, limit: int) -> sa.ColumnElement[bool]:
    """The last point before the limit still says what was at the limit, so it stays."""
    later = table.alias()
    owner = [later.c[name] == table.c[name] for name in ("site_id", "node_id") if name in table.c]
    return sa.exists().where(*owner, later.c.at > table.c.at, later.c.at < limit)
