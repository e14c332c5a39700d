"""Whether the broker of the fleet can be reached. The site does not need it; only its fleet no longer hears of it."""

from archipel_agent.checks import link_trouble, logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult
from archipel_contract.status import LinkState

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge the link as the agent sees it."""
    link = evidence.link
    if link is None or link.state is LinkState.UNKNOWN:
        return undecided(SLUG, "only a running agent knows its link")
    if link.state is LinkState.OFF:
        return passed(SLUG, "no broker is set: the site has no fleet")
    code = link_trouble.broker(link, evidence.now)
    if not code:
        return passed(SLUG, f"{link.broker}: {link.state.value}")
    problem = logs.short(link.message) or "no answer"
    return found(
        SLUG, problem, logs.with_evidence(finding(code, broker=link.broker or "?", problem=problem), problem)
    )
