"""`python -m tests.contract.record_messages`: records every message type as this release puts it on the wire.

Run once before a release; the file it writes is never changed afterwards (`test_old_meets_new` reads them all for ever).
"""

import json
from pathlib import Path
from typing import Any

from archipel_contract import __version__
from archipel_contract.audit import AuditEntries, ChainHead, Entry, appended
from archipel_contract.commands import Action, Command, Outcome, Result, SignedDocument
from archipel_contract.facts import ClockQuality, DiskSpace, NodeFacts
from archipel_contract.findings import Finding, Severity
from archipel_contract.link import messages as m
from archipel_contract.link import topics
from archipel_contract.link.delta import compact, state_hash
from archipel_contract.link.envelope import Envelope, to_wire
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.site import Role
from archipel_contract.status import ClusterNode, Condition, Health, K3sStatus, Pod, ServiceState, Truth
from archipel_contract.trust_document import Delegation, KeyRole, TrustDocument

RECORDED = Path(__file__).resolve().parents[1] / "machines/messages"
NODE = "n-7k2m9qxf04hvd1et"
SITE = "s-3c9d2m7qk1xf0v4h"
STATE = m.NodeState(
    node_name="edge",
    role=Role.SERVER,
    site_id=SITE,
    site_name="Werk 3 / Halle Süd",
    generation=0,
    health=Health.UNHEALTHY,
    facts=NodeFacts(
        hostname="edge",
        architecture="aarch64",
        os_name="Debian GNU/Linux 12 (bookworm)",
        cpus=4,
        memory_bytes=8 << 30,
        disks=(DiskSpace(path="/var/lib/rancher", kind="sd", size_bytes=64 << 30),),
    ),
    k3s=K3sStatus(state=ServiceState.RUNNING, version="v1.36.3+k3s1", pid=812, kept_by="systemd"),
    agent_version="0.1.0",
    clock="synchronized",
    conditions={"Ready": Condition(type="Ready", status=Truth.TRUE, reason="KubeletReady")},
    findings={"cable-out": Finding(code="cable-out", severity=Severity.PROBLEM, params={"nic": "eth0"})},
    cluster_reachable=True,
    cluster_ready=True,
    nodes={"edge": ClusterNode(name="edge", role=Role.SERVER, ready=True, version="v1.36.3+k3s1")},
    pods={
        "kube-system/coredns": Pod(
            namespace="kube-system", name="coredns", phase="Running", ready=True, restarts=2
        )
    },
)


def _hello(epochs: dict[str, int], state: dict[str, Any]) -> m.Hello:
    return m.Hello(
        site_id=SITE,
        site_name="Werk 3",
        node_name="edge",
        role=Role.SERVER,
        hostname="edge",
        fingerprint="f" * 16,
        boot="b-1",
        connection=41,
        epochs=epochs,
        waiting={"1": 3},
        plan=m.LinkPlan(every=3600, metrics_every=300),
        agent_version="0.1.0",
        generation=0,
        state_hash=state_hash(state),
        incarnation="i-1",
        rehearsed=True,
        nonce="00112233445566778899aabbccddeeff",
        trust=3,
        counter=7,
        desired=2,
        audit=ChainHead(count=12, hash="ab" * 32),
        certificate_until=1_826_876_000_000,
        veto=("kubectl",),
    )


def _trust() -> TrustDocument:
    key = Delegation(
        public="ed25519:" + "A" * 43 + "=",
        name="controller",
        role=KeyRole.CONTROLLER,
        may=("talk", "document", "command:*"),
        sites=(SITE,),
        not_before=1_795_000_000_000,
        expires=1_826_876_000_000,
    )
    return TrustDocument(
        fleet_id="f-7k2m9qxf04hvd1et",
        version=3,
        roots=("ed25519:" + "B" * 43 + "=",),
        threshold=1,
        keys=(key,),
        authorities=("-----BEGIN CERTIFICATE-----",),
        revoked=("k-7k2m9qxf04hvd1et",),
        name="Werke Süd",
    )


def _trusted() -> tuple[Any, ...]:
    """The bodies that came with keys."""
    entry = Entry(
        number=1,
        at=1_795_340_000_000,
        clock=ClockQuality.SYNCHRONIZED,
        actor="fleet:anna",
        action="logs",
        outcome="done",
        params={"lines": "200"},
    )
    return (
        _trust(),
        Command(
            id="c-7k2m9qxf04hvd1et",
            node=NODE,
            counter=7,
            issued=1_795_340_000_000,
            expires=1_795_944_800_000,
            action=Action.LOGS,
            arguments={"lines": 200},
            nonce="00ff",
            asked_by="anna",
        ),
        SignedDocument(site_id=SITE, generation=2, document={"name": "Werk 3"}, issued=1_795_340_000_000),
        Result(
            command="c-7k2m9qxf04hvd1et",
            outcome=Outcome.DONE,
            text="200 lines",
            name="k3s.log",
            pieces=2,
            size=9,
            digest="cd" * 32,
            data="bGluZXM=",
        ),
        AuditEntries(entries=(appended(ChainHead(), entry),)),
    )


def bodies() -> tuple[Any, ...]:
    """Return one body of every type, with every field that can be set."""
    epochs = {str(lane.value): new_epoch(12, lane, lambda count: b"\x07" * count) for lane in Lane}
    state = compact(STATE)
    return (
        m.Presence(connected=True, connection=41, incarnation="i-1", spread_seconds=30.0),
        _hello(epochs, state),
        m.FullState(state=state, hash=state_hash(state)),
        m.DeltaState(base="0" * 16, patch={"pods": {"kube-system/coredns": None}}, hash="1" * 16),
        m.Event(
            kind=m.EventKind.FINDING_APPEARED,
            subject="cable-out",
            before="healthy",
            after="unhealthy",
            text="a cable",
            params={"nic": "eth0"},
        ),
        m.Gap(epoch=epochs["1"], first=4, last=9, reason=m.GapReason.SPACE, count=6),
        m.Metrics(
            start=1_795_340_000_000, points=((0, 1.5, 0.1, 512, 8123, None), (300, 2, 0.2, 513, 8123, 48.2))
        ),
        m.Welcome(
            incarnation="i-1", connection=41, state_hash=state_hash(state), nonce="00ff", trust=3, audit=11
        ),
        m.Ack(acks=(m.EpochAck(epoch=epochs["1"], upto=17, also=((19, 21), (30, 30))),)),
        m.Ask(wanted=m.Wanted.FULL, why="the hash differs"),
        *_trusted(),
    )


def recording(body: Any) -> dict[str, Any]:
    """Return topic, wire bytes in hexadecimal and body of one message."""
    kind = m.KINDS[m.TYPE_OF[type(body)]]
    build: Any = topics.up if isinstance(kind.channel, topics.Up) else topics.down
    envelope = Envelope(
        type=kind.name,
        epoch=0 if kind.lane is None else new_epoch(12, kind.lane, lambda count: b"\x07" * count),
        sequence=0 if kind.lane is None else 17,
        at=1_795_340_000_000,
        clock=ClockQuality.PLAUSIBLE,
        up=86_400_000,
        body=compact(body),
    )
    topic = build(topics.shard_of(SITE, NODE), NODE, kind.channel)
    return {"topic": topic, "wire": to_wire(envelope).hex(), "body": compact(body)}


if __name__ == "__main__":
    made = {m.TYPE_OF[type(body)]: recording(body) for body in bodies()}
    target = RECORDED / f"{__version__}.json"
    target.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(target)
