"""The schema's steps lead to the tables of `schema`, up and down, and nothing of a newer one is touched."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from archipel_fleet.ports import StoreFailed
from archipel_fleet.records import EVERYTHING, SiteQuery
from archipel_fleet.storage import engines, migrating, rows, schema
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import NOW, Speaker


def test_the_steps_lead_to_exactly_the_tables_of_the_schema(ground: Ground) -> None:
    ground.open().close()
    made = engines.make(ground.url, ground.directory)
    with made.writing.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrating.VERSION_TABLE})
        assert compare_metadata(context, schema.METADATA) == []
    made.dispose()


def test_every_step_can_be_gone_back_and_forth(ground: Ground) -> None:
    ground.open().close()
    made = engines.make(ground.url, ground.directory)
    for revision in [*reversed(migrating.revisions()), "base", *migrating.revisions()]:
        with made.writing.begin() as connection:
            migrating.migrate(connection, revision)
            assert migrating.revision_of(connection) == (None if revision == "base" else revision)
            assert sa.inspect(connection).has_table("nodes") == (revision != "base")
    made.dispose()
    ground.open().take(Speaker().birth())


def test_a_newer_schema_is_refused_and_left_as_it_is(ground: Ground) -> None:
    store = ground.open()
    store.take(Speaker().birth())
    store.close()
    made = engines.make(ground.url, ground.directory)
    with made.writing.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {migrating.VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreFailed, match="9999") as refused:
        ground.open()
    assert refused.value.code == "fleet-database-newer"
    with made.writing.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.nodes)) == 1
        connection.exec_driver_sql(
            f"UPDATE {migrating.VERSION_TABLE} SET version_num = '{migrating.revisions()[-1]}'"
        )
    made.dispose()
    assert ground.open().sites(EVERYTHING, SiteQuery(), NOW).total == 1


def test_tables_without_a_revision_are_not_taken_for_ours(ground: Ground) -> None:
    ground.open().close()
    made = engines.make(ground.url, ground.directory)
    with made.writing.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {migrating.VERSION_TABLE}")
    with pytest.raises(StoreFailed) as refused:
        ground.open()
    assert refused.value.code == "fleet-database-damaged"
    with made.writing.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO {migrating.VERSION_TABLE} VALUES ('{migrating.revisions()[-1]}')"
        )
    made.dispose()


@pytest.mark.parametrize(
    ("table", "columns"), [(schema.nodes, rows.NODE_COLUMNS), (schema.sites, rows.SITE_COLUMNS),
                           (schema.received, rows.EPOCH_COLUMNS)]
)  # fmt: skip
def test_the_batch_path_knows_every_column(table: sa.Table, columns: tuple[str, ...]) -> None:
    assert set(columns) == set(table.columns.keys())
