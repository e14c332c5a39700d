"""The steps of `down`: stop k3s and its pods, and keep them stopped until the next `up`, across reboots too."""

from dataclasses import replace

from archipel_agent.ports import CommandFailed
from archipel_agent.steps import service, start
from archipel_agent.steps.adopt_common import back_at_boot, is_adopted, keep_from_boot, refuse_by_hand
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.site import Desired
from archipel_contract.status import ServiceState


def refuse_without_site(context: Context) -> str | None:
    """Refuse when this machine is not a site."""
    if context.store.site() is None and context.store.site("desired") is None:
        raise StepFailed(finding("not-set-up"), refused=True)
    refuse_by_hand(context)
    document = context.store.site()
    return "wanted so already" if document and document.desired is Desired.STOPPED else None


def want_stopped(context: Context) -> str:
    """Write down that the site should be stopped, before anything is stopped."""
    _want(context, Desired.STOPPED)
    return "written down; it stays so until `archipel up`"


def want_running(context: Context) -> None:
    """Take the wish back."""
    _want(context, Desired.RUNNING)


def _want(context: Context, desired: Desired) -> None:
    kept = {which: context.store.site(which) for which in ("current", "desired")}
    context.store.keep_sites(
        {
            which: replace(document, desired=desired)
            for which, document in kept.items()
            if document is not None
        }
    )


def stop(context: Context) -> str:
    """Have it not started at boot, and stop the process."""
    try:
        context.ports.k3s.stop()
        if is_adopted(context):
            keep_from_boot(context)
        else:
            context.ports.k3s.remove_service()
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="stop", problem=str(error))) from error
    context.ports.kube.close()
    return "stopped, and not started at boot"


def is_stopped(context: Context) -> str | None:
    """Nothing to do when it does not run."""
    state = context.ports.k3s.status().state
    if is_adopted(context) and state is ServiceState.STOPPED:
        starts = context.paths.units / "multi-user.target.wants" / context.paths.k3s_unit.name
        return None if context.ports.disk.exists(starts) else "does not run"
    return "does not run" if state is ServiceState.ABSENT else None


def stop_pods(context: Context) -> str:
    """End the pods and take back what k3s left in the kernel."""
    try:
        context.ports.k3s.stop_pods()
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="stop-pods", problem=str(error))) from error
    return "all ended; mounts, links and firewall rules taken back"


def _start_again(context: Context) -> None:
    """Bring back what `down` took away: the service and the process."""
    if is_adopted(context):
        back_at_boot(context)
    else:
        context.ports.k3s.install_service(service.wanted(context))
    start.run(context)


WANT = Step(
    slug="want-stopped",
    title="Write down that the site is stopped",
    check=refuse_without_site,
    run=want_stopped,
    undo=want_running,
)
STOP = Step(slug="stop", title="Stop Kubernetes", check=is_stopped, run=stop, undo=_start_again)
# Always run: what is left of the firewall cannot be seen from inside the agent's sandbox.
PODS = Step(slug="stop-pods", title="End the pods", run=stop_pods)
