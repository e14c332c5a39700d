"""Make a backup: look whether it can be made, copy the datastore while k3s runs, and seal it all into one file."""

import json
from collections.abc import Iterator
from pathlib import Path

from archipel_agent.backup import collecting, packing, record
from archipel_agent.backup.collecting import Collected
from archipel_agent.backup.manifest import (
    ETCD,
    FORMAT,
    SITE,
    Manifest,
    SiteRecord,
    Volume,
    name_of,
    read_name,
)
from archipel_agent.backup.packing import Piece
from archipel_agent.backup.targets import BackupTarget
from archipel_agent.host import tree
from archipel_agent.host.clock import text
from archipel_agent.state import datastore
from archipel_agent.steps import backup_adopted
from archipel_agent.steps.backup_common import (
    explained,
    failed,
    of_site,
    place,
    recipients_of,
    refusing,
    require_apart,
    target_of,
    tidy,
    workplace,
)
from archipel_agent.steps.base import Context, Step
from archipel_contract import __version__, wire
from archipel_contract.facts import ClockQuality
from archipel_contract.site import SiteDocument
from archipel_contract.trust import sealing

UNDER_WAY = "backup_under_way"  # sequence and when it began; forgotten when the backup has arrived
MARGIN = 64 << 20  # of the disk that stays free whatever a backup takes
SNAPSHOT_SECONDS = 180.0  # k3s' own client waits two minutes


def look(context: Context) -> str:
    """Refuse what cannot succeed: nobody to seal for, no target, a target that is away, a disk that is too full."""
    with refusing():
        return _look(context)


def _look(context: Context) -> str:
    recipients = recipients_of(context)
    site = context.store.site()
    kind = collecting.datastore_kind(context.paths)
    if site is not None and site.adopted:
        backup_adopted.look(context)
    if site is None or kind is None:
        raise failed(context, "backup-nothing", "this machine is not a site, or has no data yet")
    if not place(context):
        raise failed(context, "backup-no-target", "no place for backups is set")
    require_apart(context)
    target = target_of(context, place(context))
    with explained(context):
        there = of_site(target.stored(), site.site_id)
        needed = _size(context)
        free = context.ports.disk.space(context.paths.state).free_bytes
    if free is not None and needed + MARGIN > free:
        raise failed(context, "backup-no-room", f"{needed >> 20} MB may be needed, {free >> 20} MB are free")
    if context.store.value(UNDER_WAY) is None:
        newest = max([number for number, _ in there] + [record.sequence(context.store)])
        began = json.dumps({"sequence": newest + 1, "at": text(context.ports.clock.now())})
        context.store.keep(**{record.SEQUENCE: str(newest + 1), UNDER_WAY: began})
    whose = f"{len(recipients.owner)} recovery keys of the owner, {len(recipients.fleet)} of the fleet"
    return f"{whose}, {len(there)} backups at {place(context)}"


def _size(context: Context) -> int:
    """Return the bytes a backup takes at most: nothing of it may shrink, and the datastore lies there twice."""
    database = context.paths.k3s_data / "server/db"
    store = sum(
        tree.size(path) for path in context.ports.disk.files(database) if path.name.startswith("state.db")
    )
    volumes = collecting.volumes(context.paths) if context.settings.backup_volumes == "on" else ()
    return 2 * store + sum(one.size for one in volumes) + collecting.ALL_SMALL


def under_way(context: Context) -> tuple[int, str]:
    """Return sequence and beginning of the backup that is being made."""
    kept = json.loads(context.store.value(UNDER_WAY) or "{}")
    return int(kept["sequence"]), str(kept["at"])


def copy_of_datastore(context: Context) -> Path:
    """Return where the copy of the datastore lies until it is sealed."""
    return workplace(context.paths) / "datastore"


def sealed_file(context: Context) -> Path:
    """Return the sealed backup before it is sent."""
    return workplace(context.paths) / name_of(_site(context).site_id, under_way(context)[0])


def _site(context: Context) -> SiteDocument:
    site = context.store.site()
    assert site is not None  # `look` has seen it
    return site


def copy_datastore(context: Context) -> str:
    """Copy it as it is at one instant; k3s goes on meanwhile."""
    context.ports.disk.make_directory(workplace(context.paths), 0o700)
    if collecting.datastore_kind(context.paths) == ETCD:
        return _snapshot(context)

    def between(share: float) -> None:
        context.progress.waiting_for(f"the copy of the datastore ({share:.0%})")
        context.ports.clock.wait(0.0)  # ends it when the job is asked to stop

    target = copy_of_datastore(context)
    context.ports.disk.remove(target)
    if context.ports.rehearsed:  # a simulated k3s keeps its objects in a file of its own kind
        context.ports.disk.copy(context.paths.k3s_data / "server/db/state.db", target, 0o600)
        return "the simulated datastore"
    try:
        size = datastore.copy(context.paths.k3s_data / "server/db/state.db", target, between)
        found = datastore.look(target)
    except datastore.DatastoreUnusable as error:
        raise failed(context, "backup-datastore", str(error)) from error
    return f"{found.count} objects, {size >> 10} KB"


def _snapshot(context: Context) -> str:
    """Have k3s save a snapshot of etcd and take it over; k3s' own snapshots are not touched."""
    name = f"archipel-{under_way(context)[0]}"
    k3s = str(context.site().k3s.path)
    argv = [k3s, "etcd-snapshot", "save", "--name", name, "--data-dir", str(context.paths.k3s_data)]
    # Whatever this k3s' own settings say of its snapshots: this one stays here, and as etcd wrote it.
    argv += ["--etcd-s3=false", "--etcd-snapshot-compress=false"]
    context.ports.runner.run(argv, timeout=SNAPSHOT_SECONDS)
    directory = context.paths.k3s_data / "server/db/snapshots"
    made = [one for one in context.ports.disk.names(directory) if one.startswith(f"{name}-")]
    if not made:
        raise failed(context, "backup-datastore", "k3s saved no snapshot, and said nothing of it")
    context.ports.disk.copy(directory / made[-1], copy_of_datastore(context), 0o600)
    for one in made:
        argv = [k3s, "etcd-snapshot", "delete", one, "--data-dir", str(context.paths.k3s_data)]
        context.ports.runner.run(argv, timeout=SNAPSHOT_SECONDS)
    return f"etcd snapshot, {tree.size(copy_of_datastore(context)) >> 10} KB"


def seal(context: Context) -> str:
    """Seal everything into one file."""
    written = packing.Written()
    file = sealed_file(context)
    partial = file.with_name(f"{file.name}.part")
    with explained(context):
        collected = collecting.collect(context.paths, adopted=_site(context).adopted)
        with_volumes = context.settings.backup_volumes == "on"
        volumes = collecting.volumes(context.paths) if with_volumes else ()
        manifest, pieces = _content(context, collected, volumes)
        try:
            with tree.writing(partial) as sealed:
                stream = _watched(context, packing.stream(manifest, pieces, written), written, manifest.size)
                stream = _fitting(target_of(context, place(context)), partial, stream)
                sealing.seal(stream, sealed, recipients_of(context).all)
        except sealing.RecipientInvalid as error:
            raise failed(context, "backup-no-recipients", str(error)) from error
        tree.move(partial, file)
    context.ports.disk.remove(copy_of_datastore(context))
    context.store.keep(backup_changed=str(len(written.changed) + len(written.gone)))
    changed = f", {len(written.changed)} changed while they were read" if written.changed else ""
    return f"{tree.size(file) >> 10} KB of {written.size >> 10} KB, {len(volumes)} volumes{changed}"


def _content(
    context: Context, collected: Collected, volumes: tuple[Volume, ...]
) -> tuple[Manifest, Iterator[Piece]]:
    known, facts = _site(context), context.ports.machine.facts()
    found = backup_adopted.look(context) if known.adopted else None
    site = backup_adopted.document(known, found) if found is not None else known
    kind = collecting.datastore_kind(context.paths) or ""
    own = packing.of_bytes(SITE, wire.to_json(_record(context, site)))
    copied = copy_of_datastore(context)
    store = collecting.file_piece(copied, _datastore_name(context, kind))
    sequence, at = under_way(context)
    manifest = Manifest(
        format=FORMAT,
        site_id=site.site_id,
        site_name=site.name,
        node_name=site.nodes[0].node_name,
        sequence=sequence,
        made_at=at,
        clock=ClockQuality.SYNCHRONIZED
        if context.ports.machine.clock_synchronized()
        else ClockQuality.UNKNOWN,
        agent_version=__version__,
        k3s_version=found.version if found is not None else site.k3s.version,
        architecture=facts.architecture,
        datastore=kind,
        members=(
            packing.member_of(own),
            packing.member(store.entry.relative, copied),
            *collected.members,
        ),
        volumes=volumes,
        left_out=collected.left_out
        + (backup_adopted.left_out(found, context.paths) if found is not None else ()),
        adopted=backup_adopted.described(found) if found is not None else None,
    )

    def pieces() -> Iterator[Piece]:
        yield from (own, store, *collected.pieces)
        if context.settings.backup_volumes == "on":
            yield from collecting.volume_pieces(context.paths)

    return manifest, pieces()


def _record(context: Context, site: SiteDocument) -> SiteRecord:
    store = context.store
    if site.adopted:
        token = backup_adopted.token(context)
        agent_token = backup_adopted.agent_token(context, token)
    else:
        token, agent_token = store.value("token") or "", store.value("agent_token") or ""
    return SiteRecord(document=site, token=token, agent_token=agent_token)


def _datastore_name(context: Context, kind: str) -> str:
    data = context.paths.k3s_data.relative_to(context.paths.root).as_posix()
    return f"{data}/server/db/snapshots/archipel" if kind == ETCD else f"{data}/server/db/state.db"


def _watched(
    context: Context, stream: Iterator[bytes], written: packing.Written, size: int
) -> Iterator[bytes]:
    for number, part in enumerate(stream):
        if number % 64 == 0:
            context.progress.waiting_for(f"{written.size >> 20} of {size >> 20} MB")
            context.ports.clock.wait(0.0)  # ends it when the job is asked to stop
        yield part


def _fitting(target: BackupTarget, file: Path, stream: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the stream until what was sealed of it is more than its target takes, and raise TargetFailed there: nobody
    waits for the end of a backup that has no place."""
    for number, part in enumerate(stream):
        if number % 256 == 0:
            target.require(tree.size(file))
        yield part


def forget(context: Context) -> None:
    """Remove what was made ready and not sent."""
    directory = workplace(context.paths)
    context.ports.disk.remove(copy_of_datastore(context))
    for name in context.ports.disk.names(directory):
        if read_name(name.removesuffix(".part")) is not None:
            context.ports.disk.remove(directory / name)
    tidy(context)
    context.store.keep(**{UNDER_WAY: None})


def is_sealed(context: Context) -> str | None:
    """Nothing to do once the sealed file is whole: a cut came later."""
    if context.store.value(UNDER_WAY) is None or context.store.site() is None:
        return None
    file = sealed_file(context)
    return f"{tree.size(file) >> 10} KB" if context.ports.disk.exists(file) else None


LOOK = Step(slug="backup-look", title="Look whether a backup can be made", run=look, undo=forget)
DATASTORE = Step(
    slug="backup-datastore", title="Copy the datastore", check=is_sealed, run=copy_datastore, undo=forget
)
SEAL = Step(slug="backup-seal", title="Seal the backup", check=is_sealed, run=seal, undo=forget)
