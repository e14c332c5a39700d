"""Whether the Kubernetes API of this site answers."""

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult
from archipel_contract.status import ServiceState

SLUG = slug_of(__name__)
PHASES = RUNTIME


def look(evidence: Evidence) -> CheckResult:
    """Judge the last answer."""
    cluster = evidence.cluster
    if cluster is None:
        return undecided(SLUG, "the API was not asked")
    if cluster.ready:
        return passed(SLUG, "ready")
    if evidence.k3s.state is not ServiceState.RUNNING:
        return undecided(SLUG, f"k3s is not running ({evidence.k3s.state.value})")
    message = logs.short(cluster.message) or "-"
    code = "api-not-ready" if cluster.reachable else "api-unreachable"
    return found(SLUG, message, logs.with_evidence(finding(code, message=message), message))
