"""What a restore does about a backup of an adopted k3s: on new hardware Archipel sets k3s up, and some settings change.

Each of them is named before anything of the machine is touched; where one can neither go along nor be replaced, the restore
is refused until it is asked for without it.
"""

from pathlib import Path

from archipel_agent.backup.manifest import BackupUnusable, Manifest
from archipel_agent.k3s.carrying import ADDITION, Carrying, addition, before_and_after, carrying
from archipel_agent.steps.base import Context
from archipel_contract.adoption import Difference
from archipel_contract.site import K3sBinary, NodeSpec, Origin, SiteDocument

PRIVATE = 0o600


def differences(context: Context, manifest: Manifest) -> tuple[Difference, ...]:
    """Return every setting that will not be what it was, those that are lost first; raise BackupUnusable."""
    if manifest.adopted is None:
        return ()
    carried = _carrying(context, manifest)
    return (*carried.lost, *carried.becomes)


def accept(context: Context, manifest: Manifest) -> None:
    """Raise BackupUnusable where settings would be lost and nobody has said that they may be."""
    lost = _carrying(context, manifest).lost
    if lost and not context.options.drop_settings:
        raise BackupUnusable("backup-settings-lost", "; ".join(before_and_after(one) for one in lost))


def lay_addition(context: Context, manifest: Manifest, root: Path) -> None:
    """Lay what goes along beside what was laid out, so that it is put in place, and taken out, together with it."""
    data = addition(_carrying(context, manifest))
    if data:
        place = context.paths.k3s_settings.relative_to(context.paths.root)
        context.ports.disk.write(root / place / ADDITION, data, PRIVATE)


def told(context: Context, manifest: Manifest) -> str:
    """Return the end of a sentence that names what becomes different; empty for a k3s that was never adopted."""
    found = differences(context, manifest)
    if not found:
        return ""
    names = ", ".join(one.name for one in found)
    return f"; it was adopted, and {len(found)} settings become Archipel's: {names}"


def _carrying(context: Context, manifest: Manifest) -> Carrying:
    assert manifest.adopted is not None  # asked for backups of adopted sites only
    try:
        return carrying(_site(manifest), manifest.adopted.arguments, context.paths)
    except ValueError as error:  # networks that are none: whoever knows a public half can seal a false backup
        raise BackupUnusable("backup-format", f"its networks: {error}") from error


def _site(manifest: Manifest) -> SiteDocument:
    """Return as much of the site's document as the beginning of its backup tells."""
    assert manifest.adopted is not None  # as above
    return SiteDocument(
        site_id=manifest.site_id,
        generation=0,
        origin=Origin.LOCAL,
        name=manifest.site_name,
        network=manifest.adopted.network,
        k3s=K3sBinary(path="", version=manifest.k3s_version, sha256=""),
        nodes=(NodeSpec(node_id=manifest.node_name, node_name=manifest.node_name),),
        components=manifest.adopted.components,
    )
