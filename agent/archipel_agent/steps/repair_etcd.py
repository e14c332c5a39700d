"""Two repairs of a site's embedded etcd with one member: telling it a new address, and bringing back its newest snapshot.

Both are k3s' own `server --cluster-reset` on a stopped k3s, which exits by itself once done and leaves `db/reset-flag`; a
normal start removes that. k3s keeps the database it replaces (`db/etcd-old-...`). A site whose etcd has other members is
left alone: there the rest of the members decides, not this machine.
"""

import re
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Files
from archipel_agent.steps import repair_aside
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding

RESET_WANTED = "etcd_reset_wanted"
STRANGE_TO_ETCD = "etcd-address-changed"  # the finding that says so, whoever changed the address
_STAMP = re.compile(r"-(\d{9,})(?:\.zip)?$")
_SERVER = re.compile(r"^\s*[\"']?server[\"']?\s*:", re.M)


def is_used(disk: Files, paths: Paths) -> bool:
    """Whether this node keeps its cluster in etcd."""
    return disk.exists(paths.k3s_data / "server/db/etcd/member") or (
        disk.exists(paths.k3s_data / "server/db/etcd")
        and not disk.exists(paths.k3s_data / "server/db/state.db")
    )


def newest_snapshot(disk: Files, paths: Paths) -> Path | None:
    """Return the newest snapshot on this disk that is not empty: k3s ends each name with the second it was taken."""
    place = paths.k3s_data / "server/db/snapshots"
    found = [(int(match[1]), name) for name in disk.names(place) if (match := _STAMP.search(name))]
    for _, name in sorted(found, reverse=True):
        try:
            if disk.size(place / name) > 0:
                return place / name
        except OSError:
            continue
    return None


def _refuse_unsafe(context: Context) -> None:
    """Raise StepFailed where a reset would be a decision about other machines, or k3s would refuse it."""
    if len(context.site().nodes) > 1:
        raise StepFailed(finding("etcd-has-members", members=str(len(context.site().nodes))), refused=True)
    settings, disk = context.paths.k3s_settings, context.ports.disk
    drop_ins = settings / "config.yaml.d"
    for path in (context.paths.k3s_config, *(drop_ins / name for name in disk.names(drop_ins))):
        if disk.exists(path) and _SERVER.search(disk.read(path).decode(errors="replace")):
            raise StepFailed(finding("etcd-reset-refused", file=str(path)), refused=True)


def _reset(context: Context, step: str, snapshot: Path | None = None) -> None:
    """Have k3s reset its membership; raise StepFailed in its own words."""
    repair_aside.stop_k3s(context, step)
    flag = context.paths.k3s_data / "server/db/reset-flag"
    context.ports.disk.remove(flag)
    try:
        context.ports.privileged.call(
            "reset-etcd",
            k3s=context.site().k3s.path,
            data=str(context.paths.k3s_data),
            snapshot=str(snapshot) if snapshot else "",
        )
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step=step, problem=str(error)[-300:])) from error
    if not context.ports.disk.exists(flag):
        raise StepFailed(finding("job-failed", step=step, problem="k3s did not say that etcd was reset"))


def not_wanted(context: Context) -> str | None:
    """Nothing to do for SQLite, which knows no addresses, and when etcd was told."""
    if not is_used(context.ports.disk, context.paths):
        return "the datastore knows no addresses"
    is_told = not context.store.value(RESET_WANTED) and context.options.code != STRANGE_TO_ETCD
    return "etcd knows the address" if is_told else None


def tell_address(context: Context) -> str:
    """Have etcd take the member's address from the settings."""
    _refuse_unsafe(context)
    _reset(context, MEMBER.slug)
    context.store.keep(**{RESET_WANTED: None})
    return "etcd has one member, at the new address"


def restore(context: Context) -> str:
    """Bring back the newest snapshot."""
    _refuse_unsafe(context)
    snapshot = newest_snapshot(context.ports.disk, context.paths)
    if snapshot is None:
        place = context.paths.k3s_data / "server/db/snapshots"
        raise StepFailed(finding("etcd-no-snapshot", place=str(place)), refused=True)
    _reset(context, RESTORE.slug, snapshot)
    return f"{snapshot.name} is in force; k3s kept the damaged one as server/db/etcd-old-..."


def planned(context: Context) -> str | None:
    """Always needed; refuses where there is nothing to restore, so that a plan says so."""
    if not is_used(context.ports.disk, context.paths):
        raise StepFailed(finding("etcd-not-used"), refused=True)
    return None


def foresee(context: Context) -> str:
    """Say which snapshot it would be."""
    snapshot = newest_snapshot(context.ports.disk, context.paths)
    return snapshot.name if snapshot else "there is no snapshot on this disk"


MEMBER = Step(slug="etcd-address", title="Tell etcd the new address", check=not_wanted, run=tell_address)
RESTORE = Step(
    slug="etcd-snapshot",
    title="Bring back the newest snapshot of etcd",
    check=planned,
    run=restore,
    foresee=foresee,
)
