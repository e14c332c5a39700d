"""The words of `archipel backup` that only look: what the target holds, whether a backup is whole, how the plan stands."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from archipel_agent.backup import record, unpacking
from archipel_agent.backup.choosing import target as target_at
from archipel_agent.backup.fetching import opened
from archipel_agent.backup.manifest import BackupUnusable, Manifest, read_name
from archipel_agent.backup.recipients import known_recipients
from archipel_agent.backup.targets import BackupTarget, Stored, TargetFailed, TargetInvalid
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark, duration
from archipel_agent.cli.recovery_key import key_file
from archipel_agent.compose import settings_or_defaults
from archipel_agent.host import tree
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.run import SystemRunner
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database, StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.catalogue import finding
from archipel_contract.exits import Exit
from archipel_contract.trust.sealing import RecipientInvalid, RecoveryKeyInvalid, secrets_in

LONG = 32 << 20  # bytes between two words about how far it has come


@contextlib.contextmanager
def _explained(session: Session, where: str) -> Iterator[None]:
    try:
        yield
    except TargetInvalid as error:
        raise Stop(Exit.USAGE, str(error)) from error
    except (TargetFailed, BackupUnusable) as error:
        session.screen.remark(finding(error.code, (str(error),), place=where, problem=str(error)))
        raise Stop(Exit.NOT_OK, "") from error
    except PermissionError as error:
        raise Stop(Exit.NOT_PERMITTED, f"{error.filename}: {error.strerror}; use sudo") from error
    except OSError as error:
        raise Stop(Exit.FAILED, str(error)) from error


def _target(session: Session, settings: Settings) -> tuple[str, BackupTarget]:
    given = session.options.to
    where = (given if "://" in given else str(Path(given).absolute())) if given else settings.backup_to
    if not where:
        raise Stop(Exit.USAGE, "say where backups are: --to PLACE, or the setting backup_to")
    with _explained(session, where):
        return where, target_at(where, session.paths, SystemDisk(), SystemRunner())


def _stored(target: BackupTarget) -> tuple[tuple[str, int, Stored], ...]:
    """Return what are backups, as site id, sequence and file, by site and then the newest first."""
    found = [(*known, one) for one in target.stored() if (known := read_name(one.name)) is not None]
    return tuple(sorted(found, key=lambda one: (one[0], -one[1])))


def listing(session: Session) -> int:
    """Show what the target holds."""
    settings, _ = settings_or_defaults(session.paths)
    where, target = _target(session, settings)
    with _explained(session, where):
        there = _stored(target)
    screen = session.screen
    if screen.as_json:
        rows = [
            {"site": site, "sequence": number, "name": one.name, "size": one.size}
            for site, number, one in there
        ]
        screen.data({"place": where, "backups": rows})
    elif there:
        screen.table([[site, str(number), f"{one.size >> 10} KB", one.name] for site, number, one in there])
    else:
        screen.note(f"There is no backup at {where}.")
    return Exit.OK if there else Exit.NOT_OK


def verify(session: Session) -> int:
    """Open a backup and hold every file to its checksum."""
    settings, _ = settings_or_defaults(session.paths)
    with key_file(session, session.options.from_key) as key:
        try:
            secrets = secrets_in(key.read_text(errors="replace"))
        except RecoveryKeyInvalid as error:
            raise Stop(Exit.USAGE, f"{key}: {error}") from error
        looker = unpacking.Looker()
        name, sealed_backup = _backup(session, settings)
        with _explained(session, name), sealed_backup as sealed:
            manifest = unpacking.read(sealed, secrets, looker)
    show(session, manifest, looker.files, looker.size)
    return Exit.OK


def _backup(session: Session, settings: Settings) -> tuple[str, contextlib.AbstractContextManager[BinaryIO]]:
    """Return the backup's name, and its bytes; one at a target is fetched part by part as it is read."""
    if session.options.file:
        return session.options.file, tree.reading(Path(session.options.file))
    where, target = _target(session, settings)
    with _explained(session, where):
        there = [one for one in _stored(target) if session.options.site in (None, one[0])]
        sites = {one[0] for one in there}
        if len(sites) != 1:
            said = f"there are backups of {len(sites)} sites at {where}; say which with --site"
            raise BackupUnusable("backup-not-found", said)
    stored = there[0][2]
    parts = session.paths.runtime / "backup-verified"
    return stored.name, opened(target, stored, parts, _Telling(session))


class _Telling:
    """Says how far a long reading has come, to whoever sits there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said = 0

    def __call__(self, done: int, size: int) -> None:
        """Hear of the bytes fetched."""
        if self._session.interactive and done - self._said >= LONG and done < size:
            self._said = done
            self._session.screen.note(f"{done >> 20} of {size >> 20} MB")


def show(session: Session, manifest: Manifest, files: int, size: int) -> None:
    """Show what a whole backup holds."""
    screen = session.screen
    if screen.as_json:
        said = {name: value for name, value in asdict(manifest).items() if name != "members"}
        screen.data({**said, "files": files, "size": size})
        return
    screen.line(f"{screen.mark(Mark.GOOD)} Whole: {files} files, {size >> 10} KB, each as its checksum says.")
    screen.table(
        [
            ["site", f"{manifest.site_name} ({manifest.site_id}), node {manifest.node_name}"],
            ["backup", f"{manifest.sequence}, made {manifest.made_at} (clock {manifest.clock})"],
            ["k3s", f"{manifest.k3s_version}, datastore {manifest.datastore}, {manifest.architecture}"],
            ["volumes", ", ".join(one.name for one in manifest.volumes) or "none"],
            ["left out", ", ".join(manifest.left_out) or "nothing"],
        ]
    )


def schedule(session: Session) -> int:
    """Show when backups are made by themselves, for whom they are sealed, and how the last one went."""
    settings, problem = settings_or_defaults(session.paths)
    try:
        store = Store(Database.copy_of(session.paths.database))
        known = known_recipients(settings.backup_recipients, session.paths, SystemDisk())
    except (StateUnusable, RecipientInvalid, OSError) as error:
        raise Stop(Exit.NOT_OK, str(error)) from error
    made, trouble, drilled = record.last(store), record.problem(store), record.drilled(store)
    screen = session.screen
    if screen.as_json:
        said = {"to": settings.backup_to, "every": settings.backup_every, "keep": settings.backup_keep}
        past: dict[str, object] = {"last": made, "problem": trouble, "drilled": drilled}
        past |= {"recipients": list(known.owner), "fleet_recipients": list(known.fleet)}
        screen.data({**said, **past})
        return Exit.OK if settings.backup_to and known.all and trouble is None else Exit.NOT_OK
    sealed_for = [*known.owner, *(f"{one} (the fleet's)" for one in known.fleet)]
    rows = [
        ["to", settings.backup_to or "nowhere: set backup_to in /etc/archipel/agent.toml"],
        ["every", f"{duration(settings.backup_every)}; how many stay: {settings.backup_keep} (backup_keep)"],
        ["volumes", settings.backup_volumes],
        ["sealed for", ", ".join(sealed_for) or "nobody: sudo archipel backup key new"],
        [
            "last",
            f"{made.sequence} at {made.at}, {made.size >> 10} KB, {made.target}" if made else "none yet",
        ],
        ["trouble", f"{trouble.at}: {trouble.problem}" if trouble else "none"],
        [
            "drill",
            f"{drilled.at}, backup {drilled.sequence} in {drilled.seconds:g} s" if drilled else "never",
        ],
    ]
    screen.table(rows)
    if problem:
        screen.note(problem)
    return Exit.OK if settings.backup_to and known.all and trouble is None else Exit.NOT_OK
