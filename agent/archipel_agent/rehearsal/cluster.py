"""The cluster that the servers of one rehearsed site share: its nodes, who is dead for whom, and where its pods run.

Every member has its own machine, k3s and API; what their lists show comes from here, so that a node whose k3s is silent
becomes NotReady for the others and its pods move, after the times a stock k3s takes. Computed from the clock when somebody
looks; no thread, no timer. All worlds of one cluster share one lock.
"""

import copy
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from archipel_agent.host.clock import text
from archipel_agent.ports import Clock
from archipel_agent.rehearsal import recordings
from archipel_agent.rehearsal.kubelists import COMPONENTS, CONTROL_PLANE, PROBED_LAST
from archipel_agent.rehearsal.life import DATASTORE, PROBE_SECONDS
from archipel_agent.rehearsal.world import SimulatedWorld

# Kubernetes' own defaults, which k3s leaves as they are: --node-monitor-grace-period of kube-controller-manager (50 s
# since 1.32), and tolerationSeconds 300 that the DefaultTolerationSeconds admission adds to every pod.
GRACE_SECONDS = 50.0
TOLERATION_SECONDS = 300.0
POD_START_SECONDS = 12.0  # from being scheduled to running, as recorded
BACK_SECONDS = 8.0  # from a machine's boot until its pods run again
SILENT = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")


@dataclass(slots=True, kw_only=True)
class Member:
    """One server of the site."""

    name: str
    address: str
    version: str
    world: SimulatedWorld
    since: float  # when it last became Ready, or NotReady, by the cluster's clock that only grows
    since_text: str  # the same by its wall clock
    ready: bool = True


@dataclass(slots=True, kw_only=True)
class PlacedPod:
    """One pod: of which component, where, and since when; `leaving` once another takes its place."""

    prefix: str
    suffix: str
    node: str
    started: float
    boots: int
    restarts: int = 0
    leaving: bool = False


@dataclass(slots=True)
class SharedCluster:
    """What the members' APIs show. `clock` is the cluster's own idea of time, which no member's wrong clock disturbs."""

    clock: Clock
    lock: threading.RLock = field(default_factory=threading.RLock)
    members: dict[str, Member] = field(default_factory=dict)
    pods: list[PlacedPod] = field(default_factory=list)
    moved: int = 0

    def join(self, name: str, address: str, version: str, world: SimulatedWorld) -> None:
        """Take in a server that has been set up; its API shows the whole site from now on."""
        now = self.clock.monotonic()
        age = world.clock.monotonic() - world.state.booted
        member = Member(
            name=name,
            address=address,
            version=version,
            world=world,
            since=now - age,
            since_text=self._text(now - age),
        )
        with self.lock:
            world.settle()
            self.members[name] = member
            world.share(self)
            self._place(world, now)

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """Return the items of the list `nodes` or `pods` as they are now; none of another kind."""
        with self.lock:
            self.settle()
            if kind == "nodes":
                return [self._node(member) for member in self.members.values()]
            return [self._pod(pod) for pod in self.pods] if kind == "pods" else []

    def has_quorum(self) -> bool:
        """Whether a majority of the servers runs, without which etcd neither reads nor writes."""
        with self.lock:
            voting = sum(self._votes(member) for member in self.members.values())
        return voting > len(self.members) // 2

    def settle(self) -> None:
        """Bring every member and pod up to the present."""
        now = self.clock.monotonic()
        for member in self.members.values():
            member.world.settle()
            ready = now - self._heard(member, now) < GRACE_SECONDS
            if ready != member.ready:
                member.ready = ready
                member.since = now if ready else self._heard(member, now) + GRACE_SECONDS
                member.since_text = self._text(member.since)
        for pod in list(self.pods):
            self._look_after(pod, now)

    def _votes(self, member: Member) -> bool:
        member.world.settle()
        run = member.world.life.run
        return run is not None and run.reaches(DATASTORE) <= member.world.clock.monotonic()

    def _heard(self, member: Member, now: float) -> float:
        """Return when the member's kubelet last spoke, by the cluster's clock."""
        silent_for = member.world.clock.monotonic() - member.world.spoke
        return now - silent_for

    def _place(self, world: SimulatedWorld, now: float) -> None:
        """Spread the core pods over the members there are now, as if all had been there when they were scheduled."""
        disabled = world.config().get("disable", [])
        off = disabled if isinstance(disabled, list) else []
        wanted = [prefix for prefix, component in COMPONENTS.items() if component not in off]
        self.pods = []
        names = list(self.members)
        for number, prefix in enumerate(wanted):
            home = self.members[names[number % len(names)]]
            pod = PlacedPod(
                prefix=prefix,
                suffix="",
                node=home.name,
                started=now - POD_START_SECONDS - PROBE_SECONDS,
                boots=home.world.state.boots,
            )
            self.pods.append(pod)

    def _look_after(self, pod: PlacedPod, now: float) -> None:
        home = self.members[pod.node]
        if pod.leaving:
            if home.ready:  # its kubelet is back, and ends what was taken from it
                self.pods.remove(pod)
            return
        boots = home.world.state.boots
        if home.ready and boots != pod.boots:
            pod.boots, pod.restarts = boots, pod.restarts + 1
            pod.started = now - POD_START_SECONDS + BACK_SECONDS
        moves_at = home.since + TOLERATION_SECONDS
        if home.ready or now < moves_at:
            return
        there = self._freest()
        if there is None:
            return
        pod.leaving = True
        self.moved += 1
        self.pods.append(
            PlacedPod(
                prefix=pod.prefix,
                suffix=f"m{self.moved:04d}",
                node=there.name,
                started=moves_at,
                boots=there.world.state.boots,
            )
        )

    def _freest(self) -> Member | None:
        ready = [member for member in self.members.values() if member.ready]
        loads = {member.name: sum(pod.node == member.name for pod in self.pods) for member in ready}
        return min(ready, key=lambda member: (loads[member.name], member.name), default=None)

    def _node(self, member: Member) -> dict[str, Any]:
        item = copy.deepcopy(recordings.items("nodes.json", member.name, member.address)[0])
        item["status"]["nodeInfo"]["kubeletVersion"] = member.version
        item["metadata"]["labels"][CONTROL_PLANE] = "true"
        for condition in item["status"]["conditions"]:
            if not member.ready:
                condition.update(zip(("status", "reason", "message"), SILENT, strict=True))
            condition["lastTransitionTime"] = member.since_text
        return item

    def _pod(self, pod: PlacedPod) -> dict[str, Any]:
        home = self.members[pod.node]
        source = "pods-ready.json" if self._runs(pod, home) else "pods-starting.json"
        run = home.world.life.run
        if run is not None and run.recording == "offline-image":
            source = "pods-ready.json" if home.world.state.images else "pods-without-image.json"
        item = _recorded(source, home, pod.prefix)
        if pod.suffix:
            item["metadata"]["name"] = f"{item['metadata']['name'].rpartition('-')[0]}-{pod.suffix}"
        if pod.leaving:
            item["metadata"]["deletionTimestamp"] = self._text(home.since + TOLERATION_SECONDS)
        for container in item["status"].get("containerStatuses", []):
            container["restartCount"] = pod.restarts
        for condition in item["status"]["conditions"]:
            # What the node lifecycle controller writes; container statuses stay as their kubelet last said.
            if condition["type"] == "Ready" and not home.ready:
                condition.update(status="False", lastTransitionTime=home.since_text)
        return item

    def _runs(self, pod: PlacedPod, home: Member) -> bool:
        probe = PROBE_SECONDS if pod.prefix == PROBED_LAST else 0.0
        slowness = home.world.state.slowness
        return pod.started + (POD_START_SECONDS + probe) * slowness <= self.clock.monotonic()

    def _text(self, moment: float) -> str:
        ago = timedelta(seconds=self.clock.monotonic() - moment)
        return text(self.clock.now() - ago)


def _recorded(source: str, home: Member, prefix: str) -> dict[str, Any]:
    items = recordings.items(source, home.name, home.address)
    found = next((one for one in items if one["metadata"]["name"].startswith(prefix)), None)
    item: dict[str, Any] = copy.deepcopy(found or items[0])
    if found is None:  # a component that was off when the recording was made
        item["metadata"]["name"] = f"{prefix}7d9c5b6f4-x2k8p"
    return item
