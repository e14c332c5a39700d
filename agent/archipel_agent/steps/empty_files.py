"""Remove files of k3s that a power cut left empty; k3s makes each of them anew at its next start."""

from archipel_agent.k3s.files import empty_files
from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.start import RESTART_FLAG


def check(context: Context) -> str | None:
    """Nothing to do when none is empty."""
    return None if empty_files(context.ports.disk, context.paths) else "none is empty"


def run(context: Context) -> str:
    """Have k3s started again afterwards, then remove them: cut in between, the start comes all the same."""
    context.store.keep(**{RESTART_FLAG: "yes"})
    found = empty_files(context.ports.disk, context.paths)
    for path in found:
        context.ports.disk.remove(path)
    return f"{len(found)} removed"


STEP = Step(slug="empty-files", title="Remove empty files of k3s", check=check, run=run)
