"""Putting aside what is damaged, used by the repairs that make something anew: nothing is deleted, and its new name is told.

Where a thing goes is written down before it is moved, so that a repair cut off in between goes on with the same name, and
does not put aside what it has made anew itself.
"""

from pathlib import Path

from archipel_agent.ports import CommandFailed
from archipel_agent.steps.base import Context, StepFailed
from archipel_agent.steps.start import RESTART_FLAG
from archipel_contract.catalogue import finding

KEPT_AS = "put_aside"
MARK = ".damaged-"


def kept_as(context: Context) -> Path | None:
    """Return where this very job puts, or has put, something aside; None if it has not come to that."""
    job, _, place = (context.store.value(KEPT_AS) or "").partition(" ")
    return Path(place) if place and job == context.job else None


def place_for(context: Context, path: Path) -> Path:
    """Return the name under which this job keeps `path`, the same after a cut; it was free when it was first given out."""
    kept = kept_as(context)
    if kept is not None:
        return kept
    names = set(context.ports.disk.names(path.parent))
    number = next(one for one in range(1, len(names) + 2) if f"{path.name}{MARK}{one}" not in names)
    target = path.with_name(f"{path.name}{MARK}{number}")
    context.store.keep(**{KEPT_AS: f"{context.job} {target}"})
    return target


def is_aside(context: Context) -> bool:
    """Whether this job has put aside what it puts aside."""
    kept = kept_as(context)
    return kept is not None and context.ports.disk.exists(kept)


def put_back(context: Context, path: Path) -> None:
    """Give what this job put aside its name again, and remove what was made in its place."""
    disk, kept = context.ports.disk, kept_as(context)
    if kept is not None and disk.exists(kept):
        disk.remove_tree(path)
        disk.move(kept, path)
    context.store.keep(**{KEPT_AS: None})


def stop_k3s(context: Context, step: str) -> None:
    """End k3s, having written down that it is to be started again: so it comes back after a cut; raise StepFailed."""
    context.store.keep(**{RESTART_FLAG: "yes"})
    try:
        context.ports.k3s.stop()
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step=step, problem=str(error))) from error
    context.ports.kube.close()
