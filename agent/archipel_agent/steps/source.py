"""Where the k3s comes from: a file that was named, a bundle, the one installed here, the one on PATH, or a release."""

from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent.steps.base import Context
from archipel_agent.steps.bundle_import import bundles, current

if TYPE_CHECKING:
    from archipel_contract.bundle.format import BundleFile

VERSION_START = "v"


def is_version(text: str) -> bool:
    """Whether `--k3s TEXT` names a release rather than a file."""
    return text.startswith(VERSION_START) and text[1:2].isdigit() and "/" not in text


def chosen_file(context: Context) -> Path | None:
    """Return the file that would be used, None if a release has to be downloaded first (or nothing is there)."""
    asked = context.options.k3s
    if asked:
        return None if is_version(asked) else Path(asked)
    if context.options.bundle and current(context) is None:
        return None  # it is still to be imported
    brought = of_bundle(context)
    if brought is not None:
        return bundles(context).blob(brought.sha256)
    site = context.store.site() or context.store.site("desired")
    if site is not None and site.k3s.path and context.ports.disk.exists(Path(site.k3s.path)):
        return Path(site.k3s.path)
    return context.ports.runner.find("k3s")


def of_bundle(context: Context) -> "BundleFile | None":
    """Return the k3s of the bundle that was given and imported; None where there is none, or another was named."""
    manifest = None if context.options.k3s else current(context)
    if manifest is None:
        return None
    return next((one for one in manifest.files if one.install.value == "k3s"), None)
