"""The cluster as its API showed it last, kept up to date by watches; called by every turn.

While nothing changes a turn asks nothing and parses nothing. The lists are read anew, as without watches, whenever a watch
is over, tells of an error (410 Gone among them) or something unreadable, and when the API no longer answers well.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from archipel_agent.k3s import parse
from archipel_agent.k3s.parse import Kubernetes
from archipel_agent.ports import Clock, KubeApi, KubeReply, KubeWatch
from archipel_contract.status import ClusterStatus

NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
SERVES = KubeReply(status=200, body=b"ok")
# A watch stays silent when its API hangs or no longer knows our token. Two missed questions are a minute, and one costs
# a tenth of a turn.
ASK_SECONDS = 30.0
BEGIN_SECONDS = 60.0  # between two attempts to watch: one that is refused costs more than many lists
WATCH_SECONDS = 3300  # until the API ends a watch in order; by itself it does after 30 to 60 minutes
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


def read(kube: KubeApi) -> tuple[ClusterStatus, KubeReply, KubeReply]:
    """Return the cluster as the API lists it now, and the lists of nodes and pods."""
    # resourceVersion=0 lets the API answer from its cache (kubernetes.io, API concepts, "Any").
    nodes = kube.request("GET", f"{NODES}?resourceVersion=0")
    if nodes.status == 0:
        return parse.cluster(nodes, nodes, nodes), nodes, nodes
    # An API that answers lists is ready; only where it does not is the reason asked for. A request is a tenth of a turn.
    ready = SERVES if nodes.status == 200 else kube.request("GET", "/readyz")
    pods = kube.request("GET", f"{PODS}?resourceVersion=0")
    return parse.cluster(ready, nodes, pods), nodes, pods


class ClusterView:
    """What one agent knows of its cluster. Used by one thread at a time."""

    def __init__(self, kube: KubeApi, clock: Clock) -> None:
        """Look through `kube`."""
        self._kube = kube
        self._clock = clock
        self._nodes: _Followed[Any] | None = None
        self._pods: _Followed[Any] | None = None
        self._status = ClusterStatus(reachable=False)
        self._asked = 0.0
        self._begun: float | None = None

    def look(self) -> ClusterStatus:
        """Return the cluster as it is now."""
        if not self._follow():
            self.forget()
            self._status, nodes, pods = read(self._kube)
            if self._status.ready:
                self._begin(nodes, pods)
        return self._status

    def is_quiet(self) -> bool:
        """Whether `look` would surely say the same again, as far as that costs nothing to see."""
        nodes, pods = self._nodes, self._pods
        return nodes is not None and pods is not None and nodes.watch.is_quiet() and pods.watch.is_quiet()

    def forget(self) -> None:
        """End the watches; the next look reads the lists."""
        for one in (self._nodes, self._pods):
            if one is not None:
                one.watch.close()
        self._nodes = self._pods = None

    def _follow(self) -> bool:
        """Bring the status up to date by what the watches tell; False when the lists must be read."""
        nodes, pods = self._nodes, self._pods
        if nodes is None or pods is None or not self._still_serves():
            return False
        told = [one.take() for one in (nodes, pods)]
        if None in told:
            return False
        if any(told):
            self._status = ClusterStatus(
                reachable=True,
                ready=True,
                nodes=parse.in_order(nodes.items.values()),
                pods=parse.standing(pods.items.values()),
            )
        return True

    def _still_serves(self) -> bool:
        now = self._clock.monotonic()
        if now - self._asked < ASK_SECONDS:
            return True
        self._asked = now
        return self._kube.request("GET", "/readyz").status == 200

    def _begin(self, nodes: KubeReply, pods: KubeReply) -> None:
        now = self._clock.monotonic()
        if self._begun is not None and now - self._begun < BEGIN_SECONDS:
            return
        self._begun = self._asked = now
        try:
            self._nodes = _followed(self._kube, NODES, nodes, parse.node)
            self._pods = _followed(self._kube, PODS, pods, parse.pod)
        except UNREADABLE:  # a list without a version: it is read anew in every turn
            self.forget()


@dataclass(slots=True)
class _Followed(Generic[Kubernetes]):
    """One list and its watch."""

    watch: KubeWatch
    items: dict[tuple[str, str], Kubernetes]
    parsed: Callable[[dict[str, Any]], Kubernetes]

    def take(self) -> bool | None:
        """Take in what arrived; return whether anything changed, None when the list must be read anew."""
        lines = self.watch.arrived()
        if lines is None:
            return None
        changed = False
        try:
            for line in lines:
                event = json.loads(line)
                if event["type"] != "BOOKMARK":
                    self._apply(event["type"], event["object"])
                    changed = True
        except UNREADABLE:
            return None
        return changed

    def _apply(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "DELETED":
            self.items.pop(_key(item), None)
        elif kind in ("ADDED", "MODIFIED"):
            self.items[_key(item)] = self.parsed(item)
        else:
            raise ValueError(f"the watch tells of {kind}")


def _followed(
    kube: KubeApi, path: str, listed: KubeReply, parsed: Callable[[dict[str, Any]], Kubernetes]
) -> _Followed[Kubernetes]:
    body = json.loads(listed.body)
    version = body["metadata"]["resourceVersion"]
    items = {_key(item): parsed(item) for item in body["items"]}
    query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}"
    return _Followed(kube.watch(f"{path}?{query}"), items, parsed)


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
