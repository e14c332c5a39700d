"""An error about what was written is no failure of the database: trying again would never help."""

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from archipel_fleet.ports import StoreFailed
from archipel_fleet.storage.failures import translated


@pytest.mark.parametrize(
    "error", [sqlite3.IntegrityError("null"), psycopg.DataError("NUL"), psycopg.IntegrityError("twice")]
)
def test_an_error_about_the_data_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), translated():
        raise error
    with pytest.raises(sa.exc.DBAPIError), translated():
        raise sa.exc.DBAPIError("INSERT", None, error)


def test_a_connection_that_broke_is_a_failure_that_may_pass() -> None:
    with pytest.raises(StoreFailed) as failed, translated():
        raise sa.exc.DBAPIError("INSERT", None, psycopg.OperationalError("server closed the connection"))
    assert failed.value.code == "fleet-database-away"
