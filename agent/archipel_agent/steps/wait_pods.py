"""Wait until the core pods the site asked for are ready: cluster DNS first of all."""

from archipel_agent.observe import cluster
from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.waiting import Look, wait_until
from archipel_contract.status import Pod

# Deployment or daemon set behind each component, as k3s' own manifests name them.
PODS_OF = {
    "coredns": "coredns-",
    "local-storage": "local-path-provisioner-",
    "metrics-server": "metrics-server-",
    "traefik": "traefik-",
}


def missing(components: tuple[str, ...], pods: tuple[Pod, ...]) -> tuple[str, ...]:
    """Return the components without a ready pod."""
    ready = [pod.name for pod in pods if pod.namespace == "kube-system" and pod.ready]
    expected = [component for component in components if component in PODS_OF]
    return tuple(one for one in expected if not any(name.startswith(PODS_OF[one]) for name in ready))


def look(context: Context) -> Look:
    """Look which components have no ready pod yet."""
    seen = cluster(context.ports, context.ports.k3s.status())
    if not seen.ready:
        return Look(False)
    components = context.site().components
    waiting = missing(components, seen.pods)
    if waiting:
        return Look(False, f"the pods of {', '.join(waiting)}")
    return Look(True, f"{', '.join(components)} ready" if components else "none asked for")


def ready(context: Context) -> str | None:
    """Say so when every component has a ready pod."""
    seen = look(context)
    return seen.said if seen.over else None


def run(context: Context) -> str:
    """Wait."""
    said = wait_until(
        context,
        lambda: look(context),
        context.settings.pods_timeout,
        "pods-timeout",
        "the core pods to be ready",
    )
    for place in (context.paths.k3s_data, context.paths.k3s_settings):
        context.ports.disk.flush(place)  # images too: containerd does not fsync what it unpacks from them
    return said


STEP = Step(slug="wait-pods", title="Wait for the core pods", check=ready, run=run)
