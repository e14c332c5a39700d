"""Whether Kubernetes calls this site's nodes Ready, and if not, why in its own words; and which others are in the cluster.

Those joined by hand. Nobody of ours is on them: that one of them is away is told, why is for whoever joined it to find out.
"""

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding
from archipel_contract.status import ClusterNode

SLUG = slug_of(__name__)
PHASES = RUNTIME


def look(evidence: Evidence) -> CheckResult:
    """Judge each node of the site document."""
    cluster = evidence.cluster
    if cluster is None or not cluster.reachable:
        return undecided(SLUG, "the API does not answer")
    if evidence.site is None:
        return undecided(SLUG, "no site is set up here")
    nodes = {node.name: node for node in cluster.nodes}
    names = [spec.node_name for spec in evidence.site.nodes]
    findings = [finding("node-missing", name=name) for name in names if name not in nodes]
    findings += [_not_ready(nodes[name]) for name in names if name in nodes and not nodes[name].ready]
    others = tuple(node for node in cluster.nodes if node.name not in names)
    if others and names:
        findings.append(_others(others))
    if findings:
        return found(SLUG, findings[0].summary, *findings)
    if not names:
        return undecided(SLUG, "the site names no nodes")
    return passed(SLUG, f"Ready: {' '.join(names)}")


def _others(nodes: tuple[ClusterNode, ...]) -> Finding:
    away = [node for node in nodes if not node.ready]
    lines = tuple(
        f"{node.name}: {'Ready' if node.ready else logs.short(node.message) or 'not Ready'}" for node in nodes
    )
    code, told = ("nodes-joined-away", away) if away else ("nodes-joined", nodes)
    return finding(code, lines, names=", ".join(node.name for node in told), name=told[0].name)


def _not_ready(node: ClusterNode) -> Finding:
    reason, message = logs.short(node.reason) or "-", logs.short(node.message).rstrip(".") or "-"
    one = finding("node-not-ready", name=node.name, reason=reason, message=message)
    return logs.with_evidence(one, f"{reason}: {message}")
