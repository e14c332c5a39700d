"""Many rows at once: SQLite's executemany, PostgreSQL's COPY into a staging table and one upsert from there.

Measured, this is what makes a batch cheap; SQLAlchemy's own insert statements cost several times as much. A failure leaves
the transaction to the caller.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

FEW = 8  # rows up to which PostgreSQL is quicker without a staging table
CHUNK = 500  # keys of one IN (...): SQLite allows 32,766 parameters, older ones 999


@dataclass(frozen=True, slots=True)
class Upsert:
    """Which columns of which table are written; on a row with the same `keys`, `then` happens."""

    table: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    then: str
    sqlite: str
    postgresql: str
    staged: str
    staging: str


def upsert(table: sa.Table, columns: Sequence[str], keys: Sequence[str], then: str = "") -> Upsert:
    """Return an upsert; `then` is SQL after DO, by default: set every column that is no key."""
    others = [name for name in columns if name not in keys]
    do = then or "UPDATE SET " + ", ".join(f'"{name}" = excluded."{name}"' for name in others)
    names = ", ".join(f'"{name}"' for name in columns)
    conflict = f"ON CONFLICT ({', '.join(keys)}) DO {do}"
    head = f"INSERT INTO {table.name} ({names})"
    return Upsert(
        table=table.name,
        columns=tuple(columns),
        keys=tuple(keys),
        then=do,
        sqlite=f"{head} VALUES ({', '.join('?' * len(columns))}) {conflict}",
        postgresql=f"{head} VALUES ({', '.join(['%s'] * len(columns))}) {conflict}",
        staged=f"{head} SELECT {names} FROM in_{table.name} {conflict}",
        staging=f"CREATE TEMP TABLE IF NOT EXISTS in_{table.name} ON COMMIT DELETE ROWS AS "
        f"SELECT {names} FROM {table.name} WITH NO DATA",
    )


def write(connection: sa.Connection, statement: Upsert, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the rows in the connection's transaction; no two of them may have the same keys."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(statement.sqlite, list(rows))
    elif len(rows) <= FEW:
        connection.exec_driver_sql(statement.postgresql, list(rows))
    else:
        _copy(connection, statement, rows)


def _copy(connection: sa.Connection, statement: Upsert, rows: Iterable[tuple[Any, ...]]) -> None:
    connection.exec_driver_sql(statement.staging)
    names = ", ".join(f'"{name}"' for name in statement.columns)
    cursor: Any = connection.connection.cursor()
    try:
        with cursor.copy(f"COPY in_{statement.table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(statement.staged)
        cursor.execute(f"DELETE FROM in_{statement.table}")
    finally:
        cursor.close()


def select(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], key: str, values: Iterable[str]
) -> list[Any]:
    """Return the rows whose `key` is one of `values`, as tuples of `columns`."""
    names = ", ".join(f'"{name}"' for name in columns)
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    wanted = list(values)
    found: list[Any] = []
    for start in range(0, len(wanted), CHUNK):
        part = tuple(wanted[start : start + CHUNK])
        sql = f"SELECT {names} FROM {table.name} WHERE {key} IN ({', '.join([mark] * len(part))})"
        found += connection.exec_driver_sql(sql, part).fetchall()
    return found
