"""Start k3s. Under systemd it is systemd's child from then on, without systemd a process of its own."""

from archipel_agent.steps import waiting
from archipel_agent.steps.adopt_common import refuse_by_hand
from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.settle import clear
from archipel_contract.status import K3sStatus, ServiceState

RUNNING = (ServiceState.RUNNING, ServiceState.STARTING)
# Set when a running k3s is to be started again: `yes` where files it reads at its start have changed, or which process it is
# that is to end. Then another one, after a cut, shows that the restart has been.
RESTART_FLAG = "restart_k3s"
INSTEAD_OF = "instead of "


def instead_of(status: K3sStatus) -> str:
    """Return the flag that asks for a restart of the k3s that runs now, and of no other one."""
    running = status.pid is not None and status.state in RUNNING
    return f"{INSTEAD_OF}{status.pid}" if running else "yes"


def _is_wanted(context: Context, status: K3sStatus) -> bool:
    """Whether a restart that was asked for has not been yet."""
    flag = context.store.value(RESTART_FLAG)
    if not flag or not flag.startswith(INSTEAD_OF):
        return bool(flag)
    return status.state not in RUNNING or flag == instead_of(status)


def check(context: Context) -> str | None:
    """Nothing to do when it runs on the files as they are."""
    status = context.ports.k3s.status()
    if _is_wanted(context, status):
        refuse_by_hand(context)
        return None
    if context.store.value(RESTART_FLAG):
        context.store.keep(**{RESTART_FLAG: None})
    if status.state in RUNNING:
        return f"runs since {status.started_at}"
    refuse_by_hand(context)
    return None


def run(context: Context) -> str:
    """Start, or start again when its files have changed; pods go on meanwhile."""
    status = context.ports.k3s.status()
    again = _is_wanted(context, status)
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
