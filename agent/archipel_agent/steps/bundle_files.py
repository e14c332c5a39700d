"""Lay out what a bundle brings: image archives where k3s imports them, objects where k3s applies them."""

from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.bundle_import import bundles, current
from archipel_contract.catalogue import finding

if TYPE_CHECKING:
    from archipel_contract.bundle.format import BundleFile

PRIVATE = 0o600
# k3s imports every archive anew at each start unless this file is there; it then remembers what it has (k3s
# pkg/agent/containerd, airgap).
CACHE = ".cache.json"


def wanted(context: Context) -> tuple[tuple["BundleFile", Path], ...]:
    """Return each file that is laid out, and where."""
    manifest = current(context)
    if manifest is None:
        return ()
    places = {"import": context.paths.k3s_images, "apply": context.paths.k3s_data / "server/manifests"}
    return tuple(
        (one, places[one.install.value] / one.name) for one in manifest.files if one.install.value in places
    )


def check(context: Context) -> str | None:
    """Nothing to do without a bundle, or when all is in place."""
    if not context.options.bundle:
        return "none given"
    found = wanted(context)
    if current(context) is None or any(not _is_there(context, one, path) for one, path in found):
        return None
    if _lacks_cache(context):
        return None
    return f"{len(found)} files of the bundle, all in place"


def run(context: Context) -> str:
    """Lay out each file that is not there; k3s takes them at its start, or at once when it runs."""
    store, disk = bundles(context), context.ports.disk
    found = wanted(context)
    lacking = [(one, path) for one, path in found if not _is_there(context, one, path)]
    # Archives are large, and a card has neither room nor writes for a second copy. Objects are edited: they are copied.
    archives = {
        path: store.blob(one.sha256) for one, path in lacking if path.parent == context.paths.k3s_images
    }
    if archives:
        context.progress.waiting_for(", ".join(path.name for path in archives))
        disk.share(archives, PRIVATE)
    for one, path in lacking:
        if path not in archives:
            context.progress.waiting_for(one.name)
            disk.copy(store.blob(one.sha256), path, PRIVATE)
        if not _is_right(context, one, path):
            disk.remove(path)
            named = {"path": str(store.blob(one.sha256)), "file": one.name, "problem": "the disk altered it"}
            raise StepFailed(finding("bundle-damaged", (str(path),), None, **named))
    if _lacks_cache(context):
        context.ports.disk.write(context.paths.k3s_images / CACHE, b"", PRIVATE)
    return f"{len(found)} files of the bundle"


def undo(context: Context) -> None:
    """Take the files away again from a site that never came into force."""
    if context.store.site() is None:
        for _, path in wanted(context):
            context.ports.disk.remove(path)


def _lacks_cache(context: Context) -> bool:
    cache = context.paths.k3s_images / CACHE
    brings_images = any(path.parent == cache.parent for _, path in wanted(context))
    return brings_images and not context.ports.disk.exists(cache)


def _is_there(context: Context, one: "BundleFile", path: Path) -> bool:
    return context.ports.disk.exists(path) and _is_right(context, one, path)


def _is_right(context: Context, one: "BundleFile", path: Path) -> bool:
    """Whether that is the content; another name of what this job has just verified is not read a second time."""
    disk = context.ports.disk
    if one.sha256 in context.verified and disk.is_same(path, bundles(context).blob(one.sha256)):
        return True
    return disk.sha256(path) == one.sha256


STEP = Step(slug="bundle-files", title="Lay out the bundle", check=check, run=run, undo=undo)
