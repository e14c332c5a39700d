"""The drill: a backup is opened with the recovery key, laid out aside, looked at as a restore would, and taken away.

It shows that the key opens it, that every file is whole, and that the datastore can be opened; and how long that takes.
"""

from pathlib import Path

from archipel_agent.backup import record
from archipel_agent.backup.laying import Laying
from archipel_agent.backup.manifest import ETCD, Manifest
from archipel_agent.backup.snapshots import look_at_snapshot
from archipel_agent.host.clock import text
from archipel_agent.state import datastore
from archipel_agent.steps.backup_common import failed, refusing
from archipel_agent.steps.backup_source import Told, fetched, forget_fetched, lay_out
from archipel_agent.steps.base import Context, Step


def _scratch(context: Context) -> Path:
    return context.paths.state / "drill"


def _anything(_: Manifest) -> None:
    """Every site's backup may be practised with."""


def run(context: Context) -> str:
    """Restore for practice, measure, and take everything away again."""
    clock = context.ports.clock
    began = clock.monotonic()
    with refusing():
        try:
            context.ports.disk.remove_tree(_scratch(context))
            laying = Laying(_scratch(context), _anything, Told(context))
            manifest = lay_out(context, fetched(context), laying)
            objects = _objects(context, manifest)
        finally:
            undo(context)
    drilled = record.Drilled(
        sequence=manifest.sequence,
        name=manifest.site_name,
        at=text(clock.now()),
        seconds=round(clock.monotonic() - began, 2),
        objects=objects,
        files=laying.files,
        size=laying.size,
    )
    record.keep(context.store, record.DRILLED, drilled)
    return (
        f"backup {manifest.sequence} of {manifest.site_name} can be restored: {objects} objects, {laying.files} files, "
        f"{laying.size >> 10} KB in {drilled.seconds:g} s"
    )


def _objects(context: Context, manifest: Manifest) -> int:
    """Open the datastore; return how many objects it holds, 0 for a snapshot of etcd, which is only held to its own sum."""
    if context.ports.rehearsed:
        return 0  # a simulated k3s keeps its objects in a file of its own kind
    data = _scratch(context) / context.paths.k3s_data.relative_to(context.paths.root)
    try:
        if manifest.datastore == ETCD:
            look_at_snapshot(data / "server/db/snapshots/archipel")
            return 0
        return datastore.look(data / "server/db/state.db").count
    except (datastore.DatastoreUnusable, OSError) as error:
        raise failed(context, "backup-damaged", f"its datastore: {error}") from error


def undo(context: Context) -> None:
    """Remove what was laid out."""
    context.ports.disk.remove_tree(_scratch(context))
    forget_fetched(context)


STEP = Step(slug="backup-drill", title="Restore for practice", run=run, undo=undo, changes=False)
