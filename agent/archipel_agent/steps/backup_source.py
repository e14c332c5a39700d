"""Where a drill or a restore takes its backup from: a file, or the newest one of a site at a target."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from archipel_agent.backup import unpacking
from archipel_agent.backup.fetching import opened
from archipel_agent.backup.laying import Laying
from archipel_agent.backup.manifest import Manifest, read_name
from archipel_agent.backup.targets import BackupTarget, Stored
from archipel_agent.host import tree
from archipel_agent.steps.backup_common import (
    explained,
    failed,
    of_site,
    secrets_of,
    target_of,
    tidy,
    workplace,
)
from archipel_agent.steps.base import Context


@contextmanager
def looked_into(context: Context) -> Iterator[BinaryIO]:
    """Give the sealed backup to look into, from its beginning on; raise StepFailed.

    A file of this machine is read where it is. Of one at a server only as much is fetched as is read.
    """
    found = _found(context)
    if isinstance(found, Path):
        with explained(context), tree.reading(found) as sealed:
            yield sealed
        return
    with explained(context), opened(found.target, found.stored, _part(context), _ignored) as sealed:
        yield sealed


def fetched(context: Context) -> Path:
    """Return the sealed backup as a file of its own, fetched from its target where it lies at one; raise StepFailed.

    Tells how far it has come, and ends when the job is asked to stop.
    """
    found = _found(context, is_file=False)
    if isinstance(found, Path):
        return found
    file = workplace(context.paths) / f"fetched-{found.stored.name}"

    def told(done: int, size: int) -> None:
        context.progress.waiting_for(f"{done >> 20} of {size >> 20} MB from {found.source}")
        context.ports.clock.wait(0.0)

    context.ports.disk.make_directory(file.parent, 0o700)
    context.progress.waiting_for(f"{found.stored.size >> 10} KB from {found.source}")
    if Path(found.source).is_dir():
        with explained(context):
            found.target.get(found.stored.name, file)
        return file
    with (
        explained(context),
        opened(found.target, found.stored, _part(context), told) as sealed,
        tree.writing(file) as writable,
    ):
        while data := sealed.read(tree.CHUNK):
            writable.write(data)
    return file


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A backup at a target."""

    target: BackupTarget
    stored: Stored
    source: str


def _part(context: Context) -> Path:
    """Return where the part under way lies: in memory, for a card wears with all that is written to it."""
    return context.paths.runtime / "backup-part"


def _ignored(done: int, size: int) -> None:
    """Nobody waits for the end."""


def _found(context: Context, is_file: bool = True) -> Path | _Found:
    """Return the backup that is meant: a file of this machine, or one at a target; with `is_file` also one in a directory
    is a file."""
    source = context.options.source or context.settings.backup_to
    if not source:
        raise failed(context, "backup-no-target", "no backup was named, and no place for backups is set")
    path = Path(source)
    if source.startswith("/") and context.ports.disk.exists(path) and not path.is_dir():
        return path
    target = target_of(context, source)
    with explained(context):
        stored = target.stored()
    sites = sorted({known[0] for one in stored if (known := read_name(one.name)) is not None})
    site = _site(context, sites)
    there = of_site(stored, site)
    if not there and sites and not context.options.site and context.store.site() is not None:
        raise failed(context, "backup-foreign", f"{source} holds backups of {', '.join(sites)}")
    if not there:
        raise failed(context, "backup-not-found", f"{source} holds none" + (f" of {site}" if site else ""))
    newest = there[0][1]
    if is_file and path.is_dir():
        return path / newest.name
    return _Found(target=target, stored=newest, source=source)


def _site(context: Context, sites: list[str]) -> str:
    if context.options.site:
        return context.options.site
    here = context.store.site()
    if here is not None:
        return here.site_id
    if len(sites) > 1:
        said = f"there are backups of {len(sites)} sites: {', '.join(sites)}; say which with --site"
        raise failed(context, "backup-not-found", said)
    return sites[0] if sites else ""


def forget_fetched(context: Context) -> None:
    """Remove what was fetched."""
    directory = workplace(context.paths)
    for name in context.ports.disk.names(directory):
        if name.startswith("fetched-"):
            context.ports.disk.remove(directory / name)
    tidy(context)


def lay_out(context: Context, file: Path, laying: Laying) -> Manifest:
    """Lay a sealed backup out and return its manifest once all of it was checked; raise StepFailed."""
    secrets = secrets_of(context)
    with explained(context):
        try:
            with tree.reading(file) as sealed:
                manifest = unpacking.read(sealed, secrets, laying)
        finally:
            laying.close()
    if laying.record is None:
        raise failed(context, "backup-format", "it lacks the site's record")
    return manifest


class Told:
    """Tells how far laying out has come, once every few megabytes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._said = -1

    def __call__(self, size: int, manifest: Manifest) -> None:
        """Hear of `size` bytes laid; raises Cancelled when the job is asked to stop."""
        if size >> 22 != self._said:
            self._said = size >> 22
            self._context.progress.waiting_for(f"{size >> 20} of {manifest.size >> 20} MB")
            self._context.ports.clock.wait(0.0)
