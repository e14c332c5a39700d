"""What a pool of nodes sends to its fleet: the messages of the ingest figures, made ahead of time.

Each node in turn says, as an agent would, its whole state, a change of it, an event and a metrics point; every message is
the next of its lane in its epoch. Pure: it sends nothing.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from archipel_contract.facts import ClockQuality, Nic, NodeFacts, Route
from archipel_contract.link import delta, topics
from archipel_contract.link.envelope import Envelope, Signs, payload, to_wire
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.link.messages import (
    KINDS,
    TYPE_OF,
    DeltaState,
    Event,
    EventKind,
    FullState,
    Hello,
    Metrics,
    NodeState,
)
from archipel_contract.site import Role
from archipel_contract.status import ClusterNode, Condition, Health, K3sStatus, Pod, ServiceState, Truth
from archipel_contract.wire import to_data

NODES_OF_A_SITE = 3
MIX = "a quarter each whole states, changes of state, events and metrics points"
BOOTED = "2026-11-22T07:00:00Z"


@dataclass(frozen=True, slots=True)
class Sending:
    """One message on its way, and by which acknowledgement it is known to be committed."""

    topic: str
    payload: bytes
    qos: int
    node_id: str
    epoch: int
    sequence: int


@dataclass(slots=True)
class PoolNode:
    """One node: who it is, and how far it has come in each lane."""

    number: int
    counter: int = 1
    state: dict[str, Any] = field(default_factory=dict)
    said: dict[Lane, int] = field(default_factory=dict)
    turns: int = 0
    signer: Signs | None = None
    """With what it signs the messages that a device signs; None where nobody has an identity."""

    @property
    def node_id(self) -> str:
        """Its id."""
        return f"n-{self.number:016}"

    @property
    def site_id(self) -> str:
        """The id of its site."""
        return f"s-{self.number // NODES_OF_A_SITE:016}"

    @property
    def hears(self) -> str:
        """To what it subscribes."""
        return topics.down_filter(topics.shard_of(self.site_id, self.node_id), self.node_id)

    def hello(self, at: int) -> Sending:
        """Its birth; the state begins."""
        self.state = delta.compact(_state(self))
        said = Hello(
            site_id=self.site_id,
            site_name=self.state["site_name"],
            node_name=self.state["node_name"],
            role=Role.SERVER,
            hostname=self.state["node_name"],
            fingerprint=f"{self.number:064x}",
            connection=1,
            epochs={str(int(lane)): self._epoch(lane) for lane in Lane},
            agent_version="0.1.0",
        )
        return self._sending(said, at)

    def next(self, at: int) -> Sending:
        """Its next message."""
        self.turns += 1
        kind = (self.number + self.turns) % 4
        if kind == 0 or not self.said.get(Lane.STATE):
            return self._sending(FullState(state=self.state, hash=delta.state_hash(self.state)), at)
        if kind == 1:
            return self._sending(self._change(), at)
        if kind == 2:
            text = f"CoreDNS was started again on {self.state['node_name']}"
            said = Event(
                kind=EventKind.FINDING_APPEARED, subject="pod-crash-loop", after="warning", text=text
            )
            return self._sending(said, at)
        noise = (self.number * 7 + self.turns * 3) % 100
        return self._sending(
            Metrics(start=at, points=((0.0, 3.0 + noise / 10, 0.4, 812.0 + noise, 5120.0, 51.2),)), at
        )

    def _change(self) -> DeltaState:
        before = self.state
        after = copy.deepcopy(before)
        ready = after["conditions"]["NodeReady"]
        is_ready = self.turns % 8 < 4
        ready.update(
            status="True" if is_ready else "False", reason="KubeletReady" if is_ready else "PodNotReady"
        )
        ready["last_transition_time"] = f"2026-11-22T07:{self.turns % 60:02}:00Z"
        after["health"] = "healthy" if is_ready else "unhealthy"
        self.state = after
        patch = delta.difference(before, after)
        return DeltaState(base=delta.state_hash(before), patch=patch, hash=delta.state_hash(after))

    def _epoch(self, lane: Lane) -> int:
        return new_epoch(self.counter, lane, bytes)

    def _sending(self, body: Any, at: int) -> Sending:
        kind = KINDS[TYPE_OF[type(body)]]
        epoch = sequence = 0
        if kind.lane is not None:
            epoch = self._epoch(kind.lane)
            sequence = self.said[kind.lane] = self.said.get(kind.lane, 0) + 1
        said = Envelope(
            type=kind.name,
            epoch=epoch,
            sequence=sequence,
            at=at,
            clock=ClockQuality.SYNCHRONIZED,
            up=3_600_000 + self.turns,
            body=to_data(body),
        )
        assert isinstance(kind.channel, topics.Up)
        topic = topics.up(topics.shard_of(self.site_id, self.node_id), self.node_id, kind.channel)
        signers = (self.signer,) if self.signer is not None and kind.signed else ()
        return Sending(topic, to_wire(said, signers=signers), kind.qos, self.node_id, epoch, sequence)


def state_bytes() -> int:
    """Return how many bytes the JSON of a whole state has before compression."""
    return len(payload(Envelope(type="full", at=0, body={"state": delta.compact(_state(PoolNode(1)))})))


def pool(size: int) -> list[PoolNode]:
    """Return so many nodes."""
    return [PoolNode(number) for number in range(size)]


def messages(nodes: list[PoolNode], count: int, at: int) -> Iterator[Sending]:
    """Yield messages of one node after the other; a node comes again only after all the others."""
    for number in range(count):
        yield nodes[number % len(nodes)].next(at)


def _state(node: PoolNode) -> NodeState:
    name = f"boathouse-{node.number}"
    conditions = [
        Condition(type=kind, status=Truth.TRUE, reason=reason, last_transition_time=BOOTED)
        for kind, reason in (("K3sRunning", "Running"), ("NodeReady", "KubeletReady"))
    ]
    return NodeState(
        node_name=name,
        role=Role.SERVER,
        site_id=node.site_id,
        site_name=f"boathouse {node.number // NODES_OF_A_SITE}",
        generation=0,
        health=Health.HEALTHY,
        facts=NodeFacts(
            hostname=name,
            architecture="aarch64",
            kernel="6.12.25+rpt-rpi-v8",
            os_id="debian",
            os_name="Debian GNU/Linux 12 (bookworm)",
            model="Raspberry Pi 5 Model B Rev 1.0",
            serial=f"{node.number:016x}",
            cpus=4,
            memory_bytes=8 << 30,
            nics=(Nic(name="eth0", up=True, carrier=True, speed_mbit=1000, addresses=("192.168.4.2/24",)),),
            routes=(Route(destination="0.0.0.0/0", interface="eth0", gateway="192.168.4.1"),),
        ),
        k3s=K3sStatus(state=ServiceState.RUNNING, version="v1.36.3+k3s1", kept_by="systemd"),
        agent_version="0.1.0",
        clock="synchronized",
        conditions={one.type: one for one in conditions},
        cluster_reachable=True,
        cluster_ready=True,
        nodes={name: ClusterNode(name=name, role=Role.SERVER, ready=True, version="v1.36.3+k3s1")},
        pods={
            "kube-system/coredns": Pod(
                namespace="kube-system", name="coredns", phase="Running", ready=True, node=name
            )
        },
    )
