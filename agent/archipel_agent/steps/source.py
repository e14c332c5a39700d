"""Where the k3s comes from: a file that was named, the one installed here, the one on PATH, or a release."""

from pathlib import Path

from archipel_agent.steps.base import Context

VERSION_START = "v"


def is_version(text: str) -> bool:
    """Whether `--k3s TEXT` names a release rather than a file."""
    return text.startswith(VERSION_START) and text[1:2].isdigit() and "/" not in text


def chosen_file(context: Context) -> Path | None:
    """Return the file that would be used, None if a release has to be downloaded first (or nothing is there)."""
    asked = context.options.k3s
    if asked:
        return None if is_version(asked) else Path(asked)
    site = context.store.site() or context.store.site("desired")
    if site is not None and site.k3s.path and context.ports.disk.exists(Path(site.k3s.path)):
        return Path(site.k3s.path)
    return context.ports.runner.find("k3s")
