"""Whether the outbox has room, and whether anything had to be dropped from it since the agent started."""

from archipel_agent.checks import link_trouble, logs
from archipel_agent.checks.amounts import percent
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult
from archipel_contract.status import LinkState

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge what waits in the outbox."""
    link = evidence.link
    if link is None or link.state is LinkState.UNKNOWN:
        return undecided(SLUG, "only a running agent knows its outbox")
    if link.state is LinkState.OFF:
        return passed(SLUG, "no broker is set: the site has no fleet")
    said = f"{link.waiting} messages wait"
    findings = []
    if link_trouble.backlog(link):
        used = percent(link.waiting_bytes, link.limit_bytes)
        findings.append(finding(link_trouble.BACKLOG, count=str(link.waiting), used=used))
    if link.code == link_trouble.DAMAGED:
        problem = logs.short(link.message)
        findings.append(logs.with_evidence(finding(link_trouble.DAMAGED, problem=problem), problem))
    if link.dropped:
        findings.append(finding(link_trouble.DROPPED, count=str(link.dropped)))
    return found(SLUG, said, *findings) if findings else passed(SLUG, said)
