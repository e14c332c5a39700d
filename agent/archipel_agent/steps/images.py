"""Lay the image archives that were handed over where k3s imports them, for a site without a registry in reach."""

from pathlib import Path

from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding

ENDINGS = (".tar", ".tar.gz", ".tar.zst", ".tgz")  # k3s pkg/agent/containerd imports these


def archives(context: Context) -> tuple[Path, ...]:
    """Return the archives asked for, those in a directory by name; raise StepFailed if something is not one."""
    found: list[Path] = []
    for text in context.options.images:
        path = Path(text)
        # A Mac lays a `._NAME` beside each file it copies onto a stick: that is no archive.
        names = [name for name in context.ports.disk.names(path) if not name.startswith(".")]
        inside = [path / name for name in names if name.endswith(ENDINGS)]
        if not context.ports.disk.exists(path) or (not inside and not path.name.endswith(ENDINGS)):
            raise StepFailed(finding("images-not-found", path=text), refused=True)
        found += inside or [path]
    return tuple(found)


def check(context: Context) -> str | None:
    """Nothing to do when none were handed over or all are there already."""
    disk, target = context.ports.disk, context.paths.k3s_images
    for archive in archives(context):
        copy = target / archive.name
        if archive != copy and (not disk.exists(copy) or disk.sha256(copy) != disk.sha256(archive)):
            return None
    return f"{len(context.options.images)} given, all in place" if context.options.images else "none given"


def run(context: Context) -> str:
    """Copy each archive; k3s imports them at its start, or at once when it runs."""
    found = archives(context)
    for archive in found:
        context.progress.waiting_for(f"the copy of {archive.name}")
        context.ports.disk.copy(archive, context.paths.k3s_images / archive.name, 0o600)
    return f"{len(found)} archives in {context.paths.k3s_images}"


STEP = Step(slug="images", title="Lay out image archives", check=check, run=run)
