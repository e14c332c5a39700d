"""The lists of the simulated API: its one node, and the core pods as they come up, recorded; and namespaces."""

import copy
import json
from typing import Any

from archipel_agent.k3s.config import WITHOUT_IDENTITY
from archipel_agent.k3s.policies import path_of
from archipel_agent.paths import policies_file
from archipel_agent.rehearsal import kubeobjects, recordings
from archipel_agent.rehearsal.datastore import Datastore
from archipel_agent.rehearsal.life import NODE_READY, PODS_READY, PROBE_SECONDS, REGISTERED, Run
from archipel_agent.rehearsal.world import SimulatedWorld

ACCOUNTS = "/api/v1/serviceaccounts"
LISTS = (
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/events",
    "/api/v1/namespaces",
    "/api/v1/services",
    ACCOUNTS,
)
POLICY = "/networkpolicies/"
KINDS = {"nodes": "NodeList", "pods": "PodList"}

# The component of config.yaml's `disable` behind each recorded pod.
COMPONENTS = {
    "coredns-": "coredns",
    "local-path-provisioner-": "local-storage",
    "metrics-server-": "metrics-server",
    "traefik-": "traefik",
}
PROBED_LAST = "metrics-server-"  # its readiness probe takes ten seconds longer than the others'
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
LABEL_SECONDS = 2.0  # from a node's registration until k3s has labelled it as a server
NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


def listed(path: str, run: Run, datastore: Datastore, world: SimulatedWorld) -> dict[str, Any]:
    """Return the list at `path` as it is now."""
    kind = path.rpartition("/")[2]
    found: list[dict[str, Any]] = []
    if path == ACCOUNTS:
        found = _default_accounts(world)
    elif kind == "namespaces":
        found = kubeobjects.of_kind(datastore, "Namespace")
    elif world.cluster is not None:
        found = world.cluster.listed(kind)
    elif kind == "nodes":
        found = _nodes(run, datastore, world)
    elif kind == "pods":
        found = _pods(run, datastore, world)
    return {"kind": KINDS.get(kind, "List"), "apiVersion": "v1", "metadata": {}, "items": found}


def policy(world: SimulatedWorld, place: str) -> dict[str, Any] | None:
    """Return the network policy at `place`, as k3s has applied it from its manifest; None where there is none."""
    path = policies_file(world.paths)
    text = world.disk.read(path).decode() if world.disk.exists(path) else ""
    made = (json.loads(one) for one in text.split("---\n")[1:])
    return next((one for one in made if path_of(one) == place), None)


def _default_accounts(world: SimulatedWorld) -> list[dict[str, Any]]:
    """Return the default accounts of k3s' own namespaces, as k3s has changed them by our manifest if that is there."""
    manifest = world.paths.k3s_data / "server/manifests/archipel-accounts.yaml"
    said = {"automountServiceAccountToken": False} if world.disk.exists(manifest) else {}
    spaces = (*WITHOUT_IDENTITY, "kube-system")
    return [
        {"metadata": {"name": "default", "namespace": one}, **(said if one in WITHOUT_IDENTITY else {})}
        for one in spaces
    ]


def _nodes(run: Run, datastore: Datastore, world: SimulatedWorld) -> list[dict[str, Any]]:
    if not datastore.node_seen:
        return []
    items = recordings.items("nodes.json", run.node, run.address)
    # After a later start the API shows the node as it was last, until its kubelet speaks.
    ready = min(run.reaches(NODE_READY), run.reaches(REGISTERED) + run.pace)
    now = world.clock.monotonic()
    if run.recording == "later-start" or run.reaches(REGISTERED) + LABEL_SECONDS * run.pace <= now:
        return list(items)
    waiting = copy.deepcopy(items[0])
    waiting["metadata"]["labels"].pop(CONTROL_PLANE)
    if ready <= now:
        return [waiting]
    for condition in waiting["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", reason="KubeletNotReady", message=NOT_READY)
    return [waiting]


def _pods(run: Run, datastore: Datastore, world: SimulatedWorld) -> list[dict[str, Any]]:
    if not datastore.node_seen:
        return []
    now = world.clock.monotonic()
    disabled = run.config.get("disable", [])
    hidden = disabled if isinstance(disabled, list) else []
    found = []
    for name, component in COMPONENTS.items():
        if component in hidden:
            continue
        source = "pods-ready.json" if _is_ready(run, name, now) else "pods-starting.json"
        if (
            run.recording == "offline-image"
        ):  # kubelet tries again and again, and gets them once they can be had
            source = "pods-ready.json" if world.state.images else "pods-without-image.json"
        found.append(_pod(recordings.items(source, run.node, run.address), name))
    return found


def _is_ready(run: Run, name: str, now: float) -> bool:
    if run.recording == "later-start":
        return True
    seconds = PROBE_SECONDS * run.pace if name == PROBED_LAST else 0.0
    return run.reaches(PODS_READY) + seconds <= now


def _pod(items: tuple[dict[str, Any], ...], name: str) -> dict[str, Any]:
    for item in items:
        if item["metadata"]["name"].startswith(name):
            return item
    other = copy.deepcopy(items[0])  # a component that was off when the recording was made
    other["metadata"]["name"] = f"{name}7d9c5b6f4-x2k8p"
    return other
