"""What a restore would meet, for `restore --plan`: the backup is opened with its key, and nothing is laid out or changed.

Called by `jobs.planning`. Only the beginning is read, so that an answer comes at once; a backup that lies at a server is
fetched only as far as that.
"""

from dataclasses import dataclass
from datetime import datetime

from archipel_agent.backup import unpacking
from archipel_agent.backup.manifest import Manifest
from archipel_agent.steps.backup_common import explained, secrets_of
from archipel_agent.steps.backup_source import forget_fetched, looked_into
from archipel_agent.steps.base import Context, StepFailed
from archipel_agent.steps.restore_adopted import differences
from archipel_agent.steps.restore_read import accept, look, version_here
from archipel_contract.adoption import Difference
from archipel_contract.findings import Finding
from archipel_contract.jobs import BackupContents


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What the backup says of itself, None where it cannot be opened; for what the restore would be refused; and which
    settings of an adopted k3s become others."""

    contents: BackupContents | None = None
    problems: tuple[Finding, ...] = ()
    drift: tuple[Difference, ...] = ()


def foresee(context: Context) -> Foreseen:
    """Look at the beginning of the backup and return what a restore would meet."""
    problems: list[Finding] = []
    contents: BackupContents | None = None
    drift: tuple[Difference, ...] = ()
    try:
        look(context)
    except StepFailed as refused:
        problems.append(refused.finding)
    try:
        manifest = _manifest(context)
        contents = _contents(context, manifest)
        with explained(context):
            drift = differences(context, manifest)
            accept(context, manifest)
    except StepFailed as refused:
        if refused.finding not in problems:
            problems.append(refused.finding)
    return Foreseen(contents=contents, problems=tuple(problems), drift=drift)


def _manifest(context: Context) -> Manifest:
    secrets = secrets_of(context)
    try:
        with explained(context), looked_into(context) as sealed:
            return unpacking.glance(sealed, secrets)
    finally:
        forget_fetched(context)


def _contents(context: Context, manifest: Manifest) -> BackupContents:
    return BackupContents(
        site_id=manifest.site_id,
        site_name=manifest.site_name,
        node_name=manifest.node_name,
        sequence=manifest.sequence,
        made_at=manifest.made_at,
        clock=manifest.clock,
        age_seconds=_age(context, manifest.made_at),
        agent_version=manifest.agent_version,
        k3s_version=manifest.k3s_version,
        k3s_here=version_here(context),
        architecture=manifest.architecture,
        datastore=manifest.datastore,
        size=manifest.size,
        volumes=tuple(one.name for one in manifest.volumes),
        left_out=manifest.left_out,
    )


def _age(context: Context, made_at: str) -> float | None:
    """Return how old it is by the clock that is here; None for one that was made later, or that says no time."""
    try:
        age = (context.ports.clock.now() - datetime.fromisoformat(made_at)).total_seconds()
    except (ValueError, TypeError):
        return None
    return age if age >= 0 else None
