"""Wait until this node is registered and Ready."""

from archipel_agent.observe import cluster
from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.waiting import Look, wait_until


def ready(context: Context) -> str | None:
    """Say so when the node of this machine is Ready."""
    name = context.site().nodes[0].node_name
    seen = cluster(context.ports, context.ports.k3s.status())
    if not seen.ready:
        return None
    return next(
        (f"{node.name} is Ready, {node.version}" for node in seen.nodes if node.name == name and node.ready),
        None,
    )


def look(context: Context) -> Look:
    """Look once."""
    said = ready(context)
    return Look(said is not None, said or "")


def run(context: Context) -> str:
    """Wait."""
    return wait_until(
        context, lambda: look(context), context.settings.node_timeout, "node-timeout", "the node to be Ready"
    )


STEP = Step(slug="wait-node", title="Wait for the node", check=ready, run=run)
