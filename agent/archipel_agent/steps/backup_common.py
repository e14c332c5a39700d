"""What the steps of backups, drills and restores share: targets, recipients, places, and findings for what fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archipel_agent.backup import record
from archipel_agent.backup.choosing import target as target_at
from archipel_agent.backup.manifest import BackupUnusable, read_name
from archipel_agent.backup.recipients import Recipients, known_recipients
from archipel_agent.backup.targets import BackupTarget, Stored, TargetFailed, TargetInvalid
from archipel_agent.host.clock import text
from archipel_agent.paths import Paths
from archipel_agent.steps.base import Context, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.jobs import Verb
from archipel_contract.trust.sealing import RecipientInvalid, RecoveryKeyInvalid, secrets_in

APART = "backup_apart"  # the directory for backups that was another file system than the state's


def workplace(paths: Paths) -> Path:
    """Return where a backup is made ready, on the disk of the state; only root may look into it."""
    return paths.state / "backup"


def tidy(context: Context) -> None:
    """Remove the place where backups are made ready, once nothing is in it."""
    directory = workplace(context.paths)
    if context.ports.disk.exists(directory) and not context.ports.disk.names(directory):
        context.ports.disk.remove_tree(directory)


def place(context: Context) -> str:
    """Return the text of the target: that of this job, or that of the settings."""
    return context.options.to or context.settings.backup_to


def require_apart(context: Context) -> None:
    """Raise StepFailed where the place was another file system than the state's when last looked at, and is not any more.

    Then the stick is out, and the directory it was mounted at would take the backup onto the disk it is to outlive.
    """
    where, disk, store = place(context), context.ports.disk, context.store
    if not where.startswith("/") or not disk.exists(Path(where)):
        return  # the target says what is wrong
    with explained(context):
        there, own = disk.space(Path(where)), disk.space(context.paths.state)
    is_apart, was_apart = (
        (there.device, there.filesystem) != (own.device, own.filesystem),
        store.value(APART) == where,
    )
    if is_apart and not was_apart:
        store.keep(**{APART: where})
    if was_apart and not is_apart:
        said = f"nothing is mounted at {where}: it is on this machine's own disk now, and was not before"
        raise failed(context, "backup-target-away", said)


def target_of(context: Context, where: str) -> BackupTarget:
    """Return a target; raise StepFailed."""
    with explained(context):
        return target_at(where, context.paths, context.ports.disk, context.ports.runner)


def recipients_of(context: Context) -> Recipients:
    """Return for whom backups are sealed; raise StepFailed where there is nobody: nothing leaves unsealed."""
    try:
        found = known_recipients(context.settings.backup_recipients, context.paths, context.ports.disk)
    except (RecipientInvalid, OSError) as error:
        raise failed(context, "backup-no-recipients", str(error)) from error
    if not found.all:
        raise failed(context, "backup-no-recipients", "no recovery key is known here")
    return found


def secrets_of(context: Context) -> tuple[str, ...]:
    """Return the secret keys in the file that this job names; raise StepFailed."""
    path = Path(context.options.key_file)
    try:
        return secrets_in(context.ports.disk.read(path).decode(errors="replace"))
    except OSError as error:
        raise failed(context, "backup-wrong-key", f"{path}: {error.strerror}") from error
    except RecoveryKeyInvalid as error:
        raise failed(context, "backup-wrong-key", f"{path}: {error}") from error


def of_site(stored: tuple[Stored, ...], site_id: str) -> tuple[tuple[int, Stored], ...]:
    """Return a site's backups among what a target holds, by sequence, the newest first."""
    found = []
    for one in stored:
        known = read_name(one.name)
        if known is not None and known[0] == site_id:
            found.append((known[1], one))
    return tuple(sorted(found, key=lambda one: one[0], reverse=True))


@contextmanager
def explained(context: Context) -> Iterator[None]:
    """Turn what target, seal and disk raise into a StepFailed with its finding."""
    try:
        yield
    except TargetInvalid as error:
        raise failed(context, "backup-target-refused", str(error)) from error
    except (TargetFailed, BackupUnusable) as error:
        raise failed(context, error.code, str(error)) from error
    except OSError as error:
        raise failed(context, "backup-no-room" if error.errno == 28 else "job-failed", str(error)) from error


@contextmanager
def refusing() -> Iterator[None]:
    """Say of a failure that nothing was changed yet."""
    try:
        yield
    except StepFailed as error:
        raise StepFailed(error.finding, refused=True) from error


def failed(context: Context, code: str, problem: str) -> StepFailed:
    """Return the failure of a step; that of a backup is remembered, so that the doctor can tell of it."""
    if context.verb is Verb.BACKUP:
        at = text(context.ports.clock.now())
        record.keep(context.store, record.PROBLEM, record.Failed(at=at, code=code, problem=problem))
    if code == "job-failed":
        return StepFailed(finding(code, step=str(context.verb), problem=problem))
    where = context.options.source or place(context) or "-"
    return StepFailed(finding(code, (problem,), place=where, problem=problem))
