"""What k3s and its API say, as contract types. Pure: text or JSON in, values out; the simulator feeds the same text."""

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from archipel_agent.ports import KubeReply
from archipel_contract.site import Role
from archipel_contract.status import ClusterNode, ClusterStatus, Pod

Kubernetes = TypeVar("Kubernetes", ClusterNode, Pod)

VERSION_LINE = re.compile(r"^k3s version (v\S+)", re.MULTILINE)
VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-rc(\d+))?\+k3s(\d+)")
FINAL_RELEASE = 1_000_000  # a release sorts after its release candidates
FAILED = "Failed"
# What Kubernetes appends to the name of a pod's owner (apimachinery pkg/util/rand: five of these).
MADE_NAME = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}")


class Unreadable(ValueError):
    """The text is not what k3s is known to print; the message shows what it was."""


def version(text: str) -> str:
    """Return `v1.36.3+k3s1` out of what `k3s --version` prints; raise Unreadable."""
    match = VERSION_LINE.search(text)
    if not match:
        raise Unreadable(f"this is not a k3s: `--version` printed {text[:80]!r}")
    return match.group(1)


def version_key(text: str) -> tuple[int, int, int, int, int]:
    """Return a key by which k3s versions sort (vX.Y.Z[-rcN]+k3sM); raise Unreadable."""
    match = VERSION.fullmatch(text)
    if not match:
        raise Unreadable(f"{text!r} is not a k3s version; they look like v1.36.3+k3s1")
    major, minor, patch, candidate, build = match.groups()
    return int(major), int(minor), int(patch), int(candidate) if candidate else FINAL_RELEASE, int(build)


def cluster(ready: KubeReply, nodes: KubeReply, pods: KubeReply) -> ClusterStatus:
    """Return the cluster from the answers of /readyz, the node list and the pod list."""
    if ready.status == 0:
        return ClusterStatus(reachable=False, message=ready.body.decode(errors="replace")[:200])
    if nodes.status != 200 or pods.status != 200:
        refused = nodes if nodes.status != 200 else pods
        return ClusterStatus(reachable=True, message=f"the API answered {refused.status} instead of a list")
    try:
        return ClusterStatus(
            reachable=True,
            ready=ready.status == 200,
            message="" if ready.status == 200 else ready.body.decode(errors="replace")[-200:],
            nodes=in_order(node(item) for item in json.loads(nodes.body)["items"]),
            pods=standing(pod(item) for item in json.loads(pods.body)["items"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return ClusterStatus(reachable=True, message=f"the API's answer cannot be read: {error!r}"[:200])


def in_order(items: Iterable[Kubernetes]) -> tuple[Kubernetes, ...]:
    """Return nodes or pods by namespace and name: what the API sends has no order to rely on."""
    return tuple(sorted(items, key=lambda one: (getattr(one, "namespace", ""), one.name)))


def standing(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Return the pods in order, without the remains of failed ones in whose place another was made.

    Kubernetes never starts a failed pod again and keeps thousands of them, after a full disk for example; a site with its
    pods running is not ill of them. Pods of one owner are known by the name it makes for them.
    """
    known = tuple(pods)
    replaced = {(one.namespace, _owner(one.name)) for one in known if one.phase != FAILED}
    return in_order(
        one
        for one in known
        if one.phase != FAILED or not _owner(one.name) or (one.namespace, _owner(one.name)) not in replaced
    )


def _owner(name: str) -> str:
    made = MADE_NAME.fullmatch(name)
    return made[1] if made else ""


def node(item: dict[str, Any]) -> ClusterNode:
    """Return one node; raise KeyError, TypeError or AttributeError for what is none."""
    conditions = {one["type"]: one for one in item.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    labels = item["metadata"].get("labels", {})
    return ClusterNode(
        name=item["metadata"]["name"],
        role=Role.SERVER if "node-role.kubernetes.io/control-plane" in labels else Role.AGENT,
        ready=ready.get("status") == "True",
        reason=ready.get("reason", "NoStatusYet"),
        message=ready.get("message", ""),
        version=item.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", ""),
        since=ready.get("lastTransitionTime") or "",
    )


def pod(item: dict[str, Any]) -> Pod:
    """Return one pod; raise KeyError, TypeError or AttributeError for what is none."""
    status = item.get("status", {})
    containers = status.get("containerStatuses", [])
    phase = status.get("phase", "Unknown")
    ready = phase == "Succeeded" or (bool(containers) and all(one.get("ready") for one in containers))
    reason, message = ("", "") if ready else _why_not(status)
    return Pod(
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        phase=phase,
        ready=ready,
        restarts=sum(int(one.get("restartCount", 0)) for one in containers),
        reason=reason,
        message=message,
        node=item.get("spec", {}).get("nodeName", ""),
    )


def _why_not(status: dict[str, Any]) -> tuple[str, str]:
    """Return the reason kubectl would show: a container's waiting or ended state, else a condition, else the pod's own."""
    for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        for kind in ("waiting", "terminated"):
            state = one.get("state", {}).get(kind)
            if state and not (kind == "terminated" and state.get("exitCode") == 0):
                return state.get("reason", kind), state.get("message", "")
    if status.get("reason"):
        return status["reason"], status.get("message", "")
    for one in status.get("conditions", []):
        if one.get("status") == "False" and one.get("reason") not in (None, "PodCompleted"):
            return one["reason"], one.get("message", "")
    return status.get("phase", "Unknown"), ""
