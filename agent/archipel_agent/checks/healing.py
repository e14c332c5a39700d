"""Whether the agent has stopped repairing by itself because it did not help. See `healing`, which decides and counts."""

from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME


def look(evidence: Evidence) -> CheckResult:
    """Judge what was written down."""
    code = evidence.healing_stopped
    if code is None:
        return undecided(SLUG, "what was tried is not known without the agent's records")
    if not code:
        return passed(SLUG, "no repair has been tried in vain")
    return found(SLUG, f"gave up on {code}", finding("healing-stopped", finding=code))
