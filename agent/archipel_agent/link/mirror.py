"""Mirror: the node's state and its hello as the fleet is told them, made from a report. Pure; called by the engine.

The state must stay the same while nothing changes, because every difference travels. So what a machine measures anew in
every turn is left out or rounded here: free space, samples, evidence, interfaces and routes that come and go with pods.
What was measured travels as `Metrics` instead.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from archipel_contract import catalogue
from archipel_contract.facts import NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.link.delta import HASH_LENGTH, compact
from archipel_contract.link.messages import Hello, LinkPlan, NodeState
from archipel_contract.status import ClusterStatus, Pod, Report

PODS_SHOWN = 300  # of a larger cluster only the pods that are not ready travel, and at most as many of these
MESSAGE_LENGTH = 300
# Parameters that a check measures, and what in them is rounded: they differ at every look while nothing has changed.
MEASURED = ("free", "share", "used", "temperature", "now")
AMOUNT = re.compile(r"\d+(?:\.\d+)?(?= (?:GB|MB|%|C)(?!\w))")
STEPS = ((10, 1), (100, 5), (1000, 50))  # numbers below the first are rounded down to multiples of the second
TIME_OF_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z| UTC|\+00:00)?")


def state(report: Report) -> dict[str, Any]:
    """Return the state in `report` as compact JSON data of a `NodeState`; equal for reports between which only
    measured values differ."""
    shown: dict[str, Any] = compact(_node_state(report))
    return shown


def hello(
    report: Report,
    *,
    connection: int,
    epochs: dict[str, int],
    waiting: dict[str, int],
    plan: LinkPlan,
    state_hash: str,
    incarnation: str,
) -> Hello:
    """Return the hello of one connection; what the arguments mean stands at `messages.Hello`."""
    node, site = report.node, report.site
    return Hello(
        site_id=site.site_id if site else "",
        site_name=site.name if site else "",
        node_name=node.node_name,
        role=node.role,
        hostname=node.facts.hostname,
        fingerprint=fingerprint(node.facts),
        boot=node.facts.boot_id,
        connection=connection,
        epochs=epochs,
        waiting=waiting,
        plan=plan,
        agent_version=report.agent_version,
        generation=site.generation if site else -1,
        state_hash=state_hash,
        incarnation=incarnation,
        rehearsed=report.rehearsed,
    )


def fingerprint(facts: NodeFacts) -> str:
    """Return what tells this hardware from another: SHA-256 over serial, model and the MACs of real NICs, as 16 hex digits.

    Hashed, so that serial numbers of a plant do not travel in every hello.
    """
    macs = sorted({nic.mac.lower() for nic in facts.nics if nic.mac and not nic.virtual})
    text = json.dumps([facts.serial, facts.model, macs], separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:HASH_LENGTH]


def _node_state(report: Report) -> NodeState:
    node, site, cluster = report.node, report.site, report.cluster
    pods, count = _pods(cluster)
    return NodeState(
        node_name=node.node_name,
        role=node.role,
        site_id=site.site_id if site else "",
        site_name=site.name if site else "",
        generation=site.generation if site else -1,
        health=report.health,
        facts=_facts(node.facts),
        k3s=node.k3s,
        agent_version=report.agent_version,
        rehearsed=report.rehearsed,
        clock=node.clock.value,
        clock_source=node.clock_source.value,
        clock_ahead_seconds=_ahead(node.clock_offset_ms),
        certificates_until=node.certificates_until,
        conditions={one.type: one for one in node.conditions},
        findings=_findings(report.findings),
        cluster_reachable=cluster.reachable,
        cluster_ready=cluster.ready,
        cluster_message="; ".join(part for part in (_short(cluster.message), count) if part),
        nodes={one.name: replace(one, message=_short(one.message)) for one in cluster.nodes},
        pods={f"{one.namespace}/{one.name}": replace(one, message=_short(one.message)) for one in pods},
    )


def _ahead(offset_ms: int | None) -> int | None:
    """Return the offset in seconds, so coarse that a clock which only drifts is not news every hour."""
    if offset_ms is None:
        return None
    sign, seconds = (-1 if offset_ms < 0 else 1), abs(offset_ms) // 1000
    step = next((step for below, step in ((60, 60), (3600, 300), (86_400, 3600)) if seconds < below), 86_400)
    return sign * (seconds // step * step)


def _facts(facts: NodeFacts) -> NodeFacts:
    """Leave out free space, and the interfaces and routes that the cluster makes for its pods."""
    made = {nic.name for nic in facts.nics if nic.virtual}
    return replace(
        facts,
        nics=tuple(nic for nic in facts.nics if not nic.virtual),
        routes=tuple(route for route in facts.routes if route.interface not in made),
        disks=tuple(replace(disk, free_bytes=0) for disk in facts.disks),
    )


def _pods(cluster: ClusterStatus) -> tuple[Iterable[Pod], str]:
    if len(cluster.pods) <= PODS_SHOWN:
        return cluster.pods, ""
    troubled = [pod for pod in cluster.pods if not pod.ready]
    ready = len(cluster.pods) - len(troubled)
    return troubled[:PODS_SHOWN], f"{ready} of {len(cluster.pods)} pods ready"


def _findings(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    keyed: dict[str, Finding] = {}
    times: dict[str, int] = {}
    for one in findings:
        times[one.code] = times.get(one.code, 0) + 1
        key = one.code if times[one.code] == 1 else f"{one.code}#{times[one.code]}"
        keyed[key] = _steady(one)
    return keyed


def _steady(one: Finding) -> Finding:
    """Return the finding without evidence, its measured parameters rounded, and its sentences said anew with them."""
    params = {name: _rounded(text) if name in MEASURED else text for name, text in one.params.items()}
    bare = replace(one, evidence=(), params=params)
    if params == one.params:
        return bare
    words = catalogue.words(bare)
    return replace(bare, summary=words.title, next_step=words.remedy)


def _rounded(text: str) -> str:
    return TIME_OF_DAY.sub(r"\1", AMOUNT.sub(lambda match: _coarse(float(match[0])), text))


def _coarse(number: float) -> str:
    step = next((step for below, step in STEPS if number < below), 500)
    return str(int(number // step) * step)


def _short(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"
