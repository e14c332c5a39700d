"""Whether anybody answers behind the broker: the fleet's controller."""

from archipel_agent.checks import link_trouble
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult
from archipel_contract.status import LinkState

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge how long the controller has been silent."""
    link = evidence.link
    if link is None or link.state is LinkState.UNKNOWN:
        return undecided(SLUG, "only a running agent knows its link")
    if link.state is LinkState.OFF:
        return passed(SLUG, "no broker is set: the site has no fleet")
    last = link.last_answer_at or "never"
    code = link_trouble.controller(link, evidence.now)
    if not code:
        return passed(SLUG, f"last answer: {last}")
    return found(SLUG, f"last answer: {last}", finding(code, broker=link.broker or "?", last=last))
