"""Whether k3s, as a service, lives. In a crash loop k3s' own words for the cause are quoted."""

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding
from archipel_contract.site import Desired
from archipel_contract.status import ServiceState

SLUG = slug_of(__name__)
PHASES = RUNTIME


def look(evidence: Evidence) -> CheckResult:
    """Compare the service with what is wished."""
    state = evidence.k3s.state
    if state is ServiceState.UNKNOWN:
        return undecided(SLUG, "how k3s stands could not be read")
    if state is ServiceState.STARTING:
        return undecided(SLUG, "k3s is starting")
    if state is ServiceState.FAILING:
        return found(SLUG, f"restarted {evidence.k3s.restarts} times", _crash_loop(evidence))
    if state is ServiceState.RUNNING:
        return passed(SLUG, f"running, {evidence.k3s.version}".rstrip(", "))
    if evidence.site is None:
        return undecided(SLUG, "no site is set up here")
    if evidence.site.desired is Desired.STOPPED:
        return passed(SLUG, "stopped, as wished")
    if state is ServiceState.ABSENT:
        return found(SLUG, "k3s is not set up", finding("k3s-absent"))
    return found(SLUG, "stopped", _with_cause("k3s-stopped", evidence))


def _crash_loop(evidence: Evidence) -> Finding:
    return _with_cause("k3s-crash-loop", evidence, restarts=str(max(1, evidence.k3s.restarts)))


def _with_cause(code: str, evidence: Evidence, **params: str) -> Finding:
    cause = logs.primary_cause(evidence.k3s_log or ())
    if not cause:
        return finding(f"{code}-silent", (), None, **params)
    return logs.with_evidence(finding(code, (), None, cause=cause, **params), cause)
