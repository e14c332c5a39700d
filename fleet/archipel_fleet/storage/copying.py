"""All rows of a database, out and in: what a backup is made of. The same from SQLite and from PostgreSQL.

Sessions are left out: nobody who logged out may be logged in again by a restore. So are the row numbers of tables whose
rows nothing refers to. Called by `archipel_fleet.backup`, which knows the file and nothing of databases.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.util import CommandError

from archipel_fleet.ports import StoreFailed
from archipel_fleet.storage import engines, migrating, schema
from archipel_fleet.storage.failures import translated
from archipel_fleet.storage.store import Entropy

ROWS = 500
LEFT_OUT = frozenset({"sessions", migrating.VERSION_TABLE})
ROW_NUMBER = "id"
BYTES = "$"  # a JSON object with this one key stands for bytes, in base64


class NotOurs(ValueError):
    """Rows to be loaded do not fit the schema they say they are of; the message says which."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that follow are of this table."""

    name: str
    columns: tuple[str, ...]


Row = list[Any]


@dataclass(frozen=True, slots=True)
class Dump:
    """A database, as of one moment."""

    revision: str
    incarnation: str
    parts: Iterator[Table | Row]


def dumping(url: str, directory: Path) -> "Dumping":
    """Return a context manager that gives the Dump; the database may be in use, and is not changed or migrated."""
    return Dumping(url, directory)


class Dumping:
    """Holds the reading transaction; all of the dump is of one moment, whatever is written meanwhile."""

    def __init__(self, url: str, directory: Path) -> None:
        self._engines = engines.make(url, directory, must_exist=True)
        self._connection: sa.Connection | None = None

    def __enter__(self) -> Dump:
        try:
            with translated():
                connection = self._connection = self._engines.reading.connect()
                connection.begin()
                revision = migrating.revision_of(connection)
                if revision is None:
                    raise StoreFailed("fleet-database-damaged", "there is no fleet in this database")
                tables = _tables(connection)
                meta = tables["meta"]
                incarnation = (
                    connection.scalar(sa.select(meta.c.value).where(meta.c.name == "incarnation")) or ""
                )
        except BaseException:
            self.__exit__()
            raise
        return Dump(revision, incarnation, _rows(connection, tables))

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engines.dispose()


def _tables(connection: sa.Connection) -> dict[str, sa.Table]:
    """Return our tables as the database has them, which may be an older schema than this program's."""
    known = sa.MetaData()
    known.reflect(connection)
    ours = set(schema.METADATA.tables) - LEFT_OUT
    return {table.name: table for table in known.sorted_tables if table.name in ours}


def _rows(connection: sa.Connection, tables: Mapping[str, sa.Table]) -> Iterator[Table | Row]:
    with translated():
        for table in tables.values():
            columns = [column for column in table.columns if column.name != ROW_NUMBER]
            yield Table(table.name, tuple(column.name for column in columns))
            found = connection.execution_options(yield_per=ROWS).execute(sa.select(*columns))
            for row in found:
                yield [_shown(value) for value in row]


def _shown(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {BYTES: base64.b64encode(bytes(value)).decode()}
    return value


def _taken(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value[BYTES], validate=True)
    return value


def load(
    url: str, place: tuple[Path, str], revision: str, parts: Iterable[Table | Row], entropy: Entropy
) -> None:
    """Put all rows into the database at `url`, in place of what it holds; or into a new SQLite file, `place` (directory,
    name). One transaction: it is as it was, or as the copy says, with a new incarnation and this program's schema.

    Raises NotOurs and StoreFailed; fleet-database-newer for rows or a database of a newer schema.
    """
    if revision not in migrating.revisions():
        raise StoreFailed(
            "fleet-database-newer", f"the copy has schema {revision}, this program does not know it"
        )
    made = engines.make(url, place[0], name=place[1])
    try:
        with translated(), made.writing.begin() as connection:
            if migrating.revision_of(connection) is not None:
                migrating.migrate(connection)  # refuses a newer one
                migrating.migrate(connection, "base")
            migrating.migrate(connection, revision)
            _load(connection, parts)
            migrating.migrate(connection)
            meta = schema.meta
            connection.execute(
                sa.update(meta).where(meta.c.name == "incarnation").values(value=entropy(8).hex())
            )
        if made.is_sqlite:
            _settle(made)
    except CommandError as error:
        raise StoreFailed("fleet-database-damaged", str(error)) from error
    finally:
        made.dispose()


def _load(connection: sa.Connection, parts: Iterable[Table | Row]) -> None:
    tables = _tables(connection)
    table: sa.Table | None = None
    names: tuple[str, ...] = ()
    waiting: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Table):
            _insert(connection, table, waiting)
            table, names, waiting = tables.get(part.name), part.columns, []
            if table is None or not set(names) <= {column.name for column in table.columns}:
                raise NotOurs(f"the schema has no table {part.name} with columns {', '.join(names)}")
        else:
            if len(part) != len(names):
                raise NotOurs(f"a row has {len(part)} values for {len(names)} columns")
            waiting.append({name: _taken(value) for name, value in zip(names, part, strict=True)})
            if len(waiting) >= ROWS:
                _insert(connection, table, waiting)
                waiting = []
    _insert(connection, table, waiting)


def _insert(connection: sa.Connection, table: sa.Table | None, rows: list[dict[str, Any]]) -> None:
    if table is not None and rows:
        connection.execute(sa.insert(table), rows)


def _settle(made: engines.Engines) -> None:
    """Have everything in the one file, and see that it is whole."""
    with translated(), made.writing.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.commit()
        problems = [row[0] for row in raw.execute("PRAGMA integrity_check")]
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if problems != ["ok"]:
        raise StoreFailed("fleet-database-damaged", f"the new database is not whole: {problems[0]}")


def fold(directory: Path) -> bool:
    """Bring what waits in a SQLite database's log into its file; False where that cannot be done (it is damaged)."""
    try:
        made = engines.make("", directory, must_exist=True)
        with translated(), made.writing.connect() as connection:
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        made.dispose()
    except StoreFailed:
        return False
    return True
