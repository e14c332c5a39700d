"""Whether this process may change the system. Asked before `up`; who only reads needs no rights."""

from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = PREFLIGHT


def look(evidence: Evidence) -> CheckResult:
    """Judge who we are."""
    if evidence.is_root:
        return passed(SLUG, "root")
    return found(SLUG, "not root", finding("not-root", command="up"))
