"""Put the damaged state of the container runtime aside; it begins anew, and images come back from their archives.

What containerd knows (images, snapshots, containers) is all made again: from agent/images, from the registry, from what
Kubernetes wants to run. Volumes and the cluster's own data lie elsewhere and are not touched. All containers end, because
the new containerd knows none of them.
"""

from pathlib import Path

from archipel_agent.ports import CommandFailed
from archipel_agent.steps import repair_aside
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.bundle_files import CACHE, PRIVATE
from archipel_contract.catalogue import finding


def _state(context: Context) -> Path:
    return context.paths.k3s_data / "agent/containerd"


def forget_imports(context: Context) -> None:
    """Have k3s import every archive again at its next start; called by whoever removes images from the store.

    Where `agent/images/.cache.json` is, k3s imports only archives it has not noted there. Empty, it is still wished and
    notes nothing (k3s pkg/agent/containerd).
    """
    cache = context.paths.k3s_images / CACHE
    if context.ports.disk.exists(cache):
        context.ports.disk.write(cache, b"", PRIVATE)


def check(context: Context) -> str | None:
    """Nothing to do when it was put aside before a cut, or is not there."""
    if repair_aside.is_aside(context):
        return "put aside"
    return None if context.ports.disk.exists(_state(context)) else "there is none"


def run(context: Context) -> str:
    """Stop k3s, end the containers, and give the directory another name."""
    repair_aside.stop_k3s(context, STEP.slug)
    try:
        context.ports.k3s.stop_pods()
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step=STEP.slug, problem=str(error))) from error
    forget_imports(context)  # before the move: after it a repair that was cut off would not come here again
    target = repair_aside.place_for(context, _state(context))
    context.ports.disk.move(_state(context), target)
    return f"the damaged one is kept as {target}"


def undo(context: Context) -> None:
    """Give it its name again, with k3s stopped; the next start meets what it met before."""
    repair_aside.stop_k3s(context, STEP.slug)
    repair_aside.put_back(context, _state(context))
    context.ports.k3s.start()


STEP = Step(
    slug="containerd-aside", title="Put the container runtime's state aside", check=check, run=run, undo=undo
)
