"""Whether Kubernetes calls this site's nodes Ready, and if not, why in its own words."""

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
    if findings:
        return found(SLUG, findings[0].summary, *findings)
    if not names:
        return undecided(SLUG, "the site names no nodes")
    return passed(SLUG, f"Ready: {' '.join(names)}")


def _not_ready(node: ClusterNode) -> Finding:
    reason, message = logs.short(node.reason) or "-", logs.short(node.message) or "-"
    one = finding("node-not-ready", name=node.name, reason=reason, message=message)
    return logs.with_evidence(one, f"{reason}: {message}")
