"""First step of `adopt`: look at the k3s that is here, and refuse what cannot be adopted. Nothing is changed."""

from pathlib import Path

from archipel_agent.k3s import existing
from archipel_agent.k3s.existing import Existing, NotReadable
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.status import ServiceState

PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.5


def look(context: Context) -> Existing:
    """Return what is here; raise StepFailed where it cannot be adopted, with the reason."""
    site = context.store.site()
    if site is not None and not site.adopted:
        raise _refused(f"this machine is the site {site.name} already")
    disk, paths = context.ports.disk, context.paths
    if disk.exists(paths.units / "k3s-agent.service"):
        raise _refused("it is an agent node of another machine's cluster; adopt that server first")
    status = context.ports.k3s.status()
    by_hand = status.state is ServiceState.ABSENT
    if by_hand and existing.process(context.ports) is None:
        raise _refused("no k3s server runs here")
    if status.state is ServiceState.STARTING:
        raise _refused("k3s is only starting", is_early=True)
    if not by_hand and status.state is not ServiceState.RUNNING:
        raise _refused(f"k3s is {status.state}; it is adopted as it runs")
    try:
        found = existing.read(context.ports, paths)
    except NotReadable as error:
        raise _refused(str(error), is_early=True) from error
    _refuse_unfit(context, found)
    return found


def _refuse_unfit(context: Context, found: Existing) -> None:
    if found.nodes != 1:
        raise _refused(f"the cluster has {found.nodes} nodes; only a cluster of one node can be adopted")
    place = existing.elsewhere(found.arguments, context.paths)
    if place:
        raise _refused(f"it keeps its data in {place}; Archipel looks in {context.paths.k3s_data}")
    if not found.network.node_ip or not found.network.interface:
        raise _refused("no interface of this machine has the address of its node")
    if binary(context) is None:
        raise _refused("its program is neither on PATH nor in /usr/local/bin")


def binary(context: Context) -> Path | None:
    """Return the program that k3s is started from."""
    usual = context.paths.k3s_binary
    return usual if context.ports.disk.exists(usual) else context.ports.runner.find("k3s")


class _Early(StepFailed):
    """It may only be starting: after a power cut it comes up together with the agent."""


def _refused(problem: str, is_early: bool = False) -> StepFailed:
    return (_Early if is_early else StepFailed)(finding("adopt-refused", problem=problem), refused=True)


def run(context: Context) -> str:
    """Look at it, and wait for one that is only starting."""
    clock = context.ports.clock
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return foresee(context)
        except _Early:
            if clock.monotonic() >= deadline:
                raise
        context.progress.waiting_for("the API to answer")
        clock.wait(POLL_SECONDS)


def foresee(context: Context) -> str:
    """Say in one line what is here; raise StepFailed where it cannot be adopted."""
    found = look(context)
    return f"{found.version}, node {found.node_name} at {found.network.node_ip}, {found.datastore or 'no datastore'}"


STEP = Step(slug="adopt-look", title="Look at the k3s that is here", run=run, foresee=foresee, changes=False)
