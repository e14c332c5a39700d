"""Start k3s. Under systemd it is systemd's child from then on, without systemd a process of its own."""

from archipel_agent.steps import waiting
from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.settle import clear
from archipel_contract.status import ServiceState

RUNNING = (ServiceState.RUNNING, ServiceState.STARTING)
RESTART_FLAG = "restart_k3s"  # set when files k3s reads at its start have changed under a running one


def check(context: Context) -> str | None:
    """Nothing to do when it runs on the files as they are."""
    if context.store.value(RESTART_FLAG):
        return None
    status = context.ports.k3s.status()
    return f"runs since {status.started_at}" if status.state in RUNNING else None


def run(context: Context) -> str:
    """Start, or start again when its files have changed; pods go on meanwhile."""
    status = context.ports.k3s.status()
    again = bool(context.store.value(RESTART_FLAG))
    if again or status.state is ServiceState.FAILING:
        context.ports.k3s.stop()
    waiting.start(context)
    context.ports.kube.close()  # certificates and identity are read anew
    context.store.keep(**{RESTART_FLAG: None})
    return "started again with the new files" if again else "started"


def undo(context: Context) -> None:
    """Stop k3s and its pods; for a site that never came into force, take its data too."""
    context.ports.k3s.stop()
    if context.store.site() is not None:
        return
    context.ports.k3s.stop_pods()
    clear(context, context.paths.k3s_data)


STEP = Step(slug="start", title="Start Kubernetes", check=check, run=run, undo=undo)
