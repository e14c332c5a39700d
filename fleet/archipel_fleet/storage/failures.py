"""Whatever a database driver raises becomes StoreFailed with a finding's code, here and nowhere else."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from archipel_fleet.ports import StoreFailed

# Primary result codes of SQLite (https://www.sqlite.org/rescode.html); extended codes carry them in the low byte.
_SQLITE = {
    sqlite3.SQLITE_BUSY: "fleet-database-locked",
    sqlite3.SQLITE_LOCKED: "fleet-database-locked",
    sqlite3.SQLITE_FULL: "fleet-disk-full",
    sqlite3.SQLITE_CORRUPT: "fleet-database-damaged",
    sqlite3.SQLITE_NOTADB: "fleet-database-damaged",
    sqlite3.SQLITE_ERROR: "fleet-database-damaged",  # no such table or column in a schema of the right number
}
# SQLSTATE of PostgreSQL (appendix A of its manual): whole codes, then classes.
_STATES = {
    "53100": "fleet-disk-full",
    "40P01": "fleet-database-locked",
    "40001": "fleet-database-locked",
    "55P03": "fleet-database-locked",
    "57014": "fleet-database-locked",  # statement or lock timeout
}
_CLASSES = {"XX": "fleet-database-damaged", "42": "fleet-database-damaged", "58": "fleet-database-away"}

# The database works, and what it was given is not to its liking: trying again would never help, so these stay what they are,
# and the ingest looks for the one message that is to blame.
_ABOUT_THE_DATA = (sqlite3.DataError, sqlite3.IntegrityError, psycopg.DataError, psycopg.IntegrityError)


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of drivers and of SQLAlchemy into StoreFailed, but those about the data."""
    try:
        yield
    except _ABOUT_THE_DATA:
        raise
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, _ABOUT_THE_DATA):
            raise
        raise failed(error.orig if error.orig is not None else error) from error
    except (sa.exc.TimeoutError, sa.exc.PendingRollbackError) as error:
        raise StoreFailed("fleet-database-locked", _line(error)) from error
    except (sqlite3.Error, psycopg.Error, OSError) as error:
        raise failed(error) from error


def failed(error: BaseException) -> StoreFailed:
    """Return the failure for an error of a driver."""
    code = "fleet-database-away"
    if isinstance(error, sqlite3.Error):
        number = getattr(error, "sqlite_errorcode", None)
        code = _SQLITE.get((number or 0) & 0xFF, code)
        if number is None and isinstance(error, sqlite3.DatabaseError) and "disk image" in str(error):
            code = "fleet-database-damaged"
    elif isinstance(error, psycopg.Error):
        state = error.sqlstate or ""
        code = _STATES.get(state) or _CLASSES.get(state[:2], code)
    elif isinstance(error, OSError) and error.errno == 28:  # ENOSPC
        code = "fleet-disk-full"
    return StoreFailed(code, _line(error))


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
