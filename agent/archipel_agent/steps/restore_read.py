"""The first steps of a restore: refuse what must not be, then read the whole backup and lay it out aside.

Until all of it was checked, nothing of the machine is touched but a directory of our own, which goes again if it fails.
"""

import json
from pathlib import Path

from archipel_agent.backup.laying import Laying
from archipel_agent.backup.manifest import BackupUnusable, Manifest, SiteRecord
from archipel_agent.k3s import parse
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed
from archipel_agent.steps import restore_adopted, source
from archipel_agent.steps.adopt_common import refused
from archipel_agent.steps.backup_common import failed, refusing, secrets_of
from archipel_agent.steps.backup_source import Told, fetched, forget_fetched, lay_out
from archipel_agent.steps.base import Context, Step
from archipel_contract import wire

LAST = "restore-note"  # the slug of the last step
READ = "restore_read"  # what was laid out, once all of it was checked: the source, the manifest and the site's record


def laid_out(paths: Paths) -> Path:
    """Return where a backup is laid out, on the file system on which most of it will stay."""
    return paths.k3s_data.with_name("k3s.restoring")


def kept(context: Context) -> tuple[Manifest, SiteRecord]:
    """Return manifest and record of the backup that was read; raise LookupError before that."""
    text = context.store.value(READ)
    if text is None:
        raise LookupError("no backup has been read yet")
    found = json.loads(text)
    return wire.from_data(Manifest, found["manifest"]), wire.from_data(SiteRecord, found["record"])


def is_under_way(context: Context) -> bool:
    """Whether this very restore has been begun: what lives here is then its own."""
    return context.store.value(READ) is not None and _source(context) == json.loads(
        context.store.value(READ) or "{}"
    ).get("source")


def is_through(context: Context) -> bool:
    """Whether this job had come to its end when it was cut off: what lives here is then what it restored."""
    job = context.store.unfinished()
    if job is None or context.store.value(READ) is not None:
        return False
    return any(step == LAST and phase == "begin" for step, phase, _ in context.store.journal(job.id))


def _source(context: Context) -> str:
    return context.options.source or context.settings.backup_to


def look(context: Context) -> str:
    """Refuse a machine on which a site lives, unless its data may be moved aside; and a key that is none."""
    if is_through(context):
        return "the site lives here already"
    with refusing():
        secrets_of(context)
        if not is_under_way(context) and not context.options.aside and _lives(context):
            raise failed(context, "backup-site-lives", "a site lives on this machine")
    return "nothing lives here that would be lost" if not context.options.aside else "what lives here is kept"


def _lives(context: Context) -> bool:
    data = context.paths.k3s_data / "server"
    stands = any(context.ports.disk.exists(data / name) for name in ("db/state.db", "db/etcd", "token"))
    return stands or context.store.site() is not None


def check(context: Context) -> str | None:
    """Nothing to do when this backup was read and checked, and lies there or is in place already."""
    if is_through(context):
        return "done before"
    return f"{kept(context)[0].site_name}, read before" if is_under_way(context) else None


def run(context: Context) -> str:
    """Read, check and lay out."""
    undo(context)
    file = fetched(context)
    laying = Laying(laid_out(context.paths), lambda manifest: accept(context, manifest), Told(context))
    manifest = lay_out(context, file, laying)
    assert laying.record is not None  # lay_out has seen it
    if laying.record.document.site_id != manifest.site_id or not laying.record.token:
        raise failed(context, "backup-format", "its record is not that of its site")
    if manifest.adopted is not None:
        restore_adopted.lay_addition(context, manifest, laid_out(context.paths))
    context.ports.disk.flush(laid_out(context.paths))
    forget_fetched(context)
    said = {
        "source": _source(context),
        "manifest": wire.to_data(manifest),
        "record": wire.to_data(laying.record),
    }
    context.store.keep(**{READ: json.dumps(said)})
    return (
        f"backup {manifest.sequence} of {manifest.site_name} ({manifest.site_id}), made {manifest.made_at}: "
        f"{laying.files} files, all whole{restore_adopted.told(context, manifest)}"
    )


def accept(context: Context, manifest: Manifest) -> None:
    """Raise BackupUnusable for a backup that this machine must not take."""
    here = context.store.site()
    if here is not None and here.site_id != manifest.site_id:
        problem = f"it is of {manifest.site_name} ({manifest.site_id}), and {here.site_id} lives here"
        raise BackupUnusable("backup-foreign", problem)
    version = version_here(context)
    if version and _is_older(version, manifest.k3s_version):
        problem = f"it was made with k3s {manifest.k3s_version}, and {version} is here"
        raise BackupUnusable("backup-older-k3s", problem)
    if manifest.adopted is not None:
        restore_adopted.accept(context, manifest)
    free = context.ports.disk.space(laid_out(context.paths)).free_bytes
    if free is not None and manifest.size > free:
        problem = f"{manifest.size >> 20} MB are needed, {free >> 20} MB are free"
        raise BackupUnusable("backup-no-room", problem)


def version_here(context: Context) -> str:
    """Return the k3s that would be used, empty where the one of the backup will be fetched."""
    if source.is_version(context.options.k3s):
        return context.options.k3s
    file = source.chosen_file(context)
    if file is None or not context.ports.disk.exists(file):
        return ""
    try:
        return parse.version(context.ports.k3s.version_text(file))
    except (CommandFailed, parse.Unreadable):
        return ""  # `get-k3s` says what is wrong with it


def _is_older(version: str, wanted: str) -> bool:
    try:
        return parse.version_key(version) < parse.version_key(wanted)
    except parse.Unreadable:
        return False  # of a k3s somebody built: only its start can tell


def undo(context: Context) -> None:
    """Remove what was laid out, and forget it."""
    context.store.keep(**{READ: None})
    context.ports.disk.remove_tree(laid_out(context.paths))
    forget_fetched(context)


LOOK = refused(Step(slug="restore-look", title="Look what lives here", run=look, changes=False))
STEP = Step(slug="restore-read", title="Read the backup", check=check, run=run, undo=undo)
