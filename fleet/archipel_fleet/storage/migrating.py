"""Brings a database to the schema of this program: makes it, migrates an older one, refuses a newer or a foreign one."""

import functools

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from archipel_fleet.ports import StoreFailed

VERSION_TABLE = "archipel_schema"


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "archipel_fleet.storage:migrations")
    config.attributes["connection"] = connection
    return config


@functools.cache
def revisions() -> tuple[str, ...]:
    """Return every revision this program knows, the oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


def revision_of(connection: sa.Connection) -> str | None:
    """Return the schema's revision in a database; None in one without a schema of ours."""
    return MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()


def migrate(connection: sa.Connection, to: str = "head") -> str:
    """Bring the database up (or down) to revision `to`; return the revision it had, empty for a new one.

    Raises StoreFailed: fleet-database-newer, untouched, when another program has made it newer than this one knows;
    fleet-database-damaged when it holds tables of our names but no revision.
    """
    known = revisions()
    found = revision_of(connection)
    if found is not None and found not in known:
        raise StoreFailed(
            "fleet-database-newer", f"the database has schema {found}, this program knows up to {known[-1]}"
        )
    if found is None and sa.inspect(connection).has_table("nodes"):
        raise StoreFailed(
            "fleet-database-damaged", "the database has tables but does not say of which schema"
        )
    target = known[-1] if to == "head" else to
    if found != target:
        down = found is not None and target != "base" and known.index(target) < known.index(found)
        move = command.downgrade if down or target == "base" else command.upgrade
        move(_config(connection), target)
    return found or ""
