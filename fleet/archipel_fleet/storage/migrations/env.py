"""Run by Alembic on a connection that `migrating` hands over; the transaction is the caller's."""

from alembic import context

from archipel_fleet.storage.migrating import VERSION_TABLE
from archipel_fleet.storage.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the caller's transaction spans all steps on both databases
)
context.run_migrations()
