"""How this machine stands with its fleet: whether it enrols, belongs to it, and keeps its certificate. No site needs one."""

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult
from archipel_contract.status import Membership

SLUG = slug_of(__name__)
PHASES = BOTH
CODES = (
    "identity-pending",
    "identity-fleet-away",
    "identity-wrong-authority",
    "identity-answer-unusable",
    "identity-token-refused",
    "identity-token-unusable",
    "identity-node-known",
    "identity-refused",
    "identity-renewal-stuck",
    "identity-expired",
    "identity-damaged",
    "identity-key-missing",
    "identity-mismatched",
)


def look(evidence: Evidence) -> CheckResult:
    """Judge what the keeper of the identity says."""
    seen = evidence.enrolment
    if seen is None or (seen.state is Membership.UNKNOWN and not seen.code):
        return undecided(SLUG, "only a running agent knows its fleet")
    if seen.state is Membership.NONE:
        return passed(SLUG, "this machine belongs to no fleet")
    name = seen.fleet or seen.address
    if not seen.code:
        until = f", certificate until {seen.certificate_until}" if seen.certificate_until else ""
        return passed(SLUG, f"{name}: {seen.state.value}{until}")
    problem = logs.short(seen.message) or "no reason was given"
    one = finding(
        seen.code if seen.code in CODES else "identity-answer-unusable",
        fleet=name or "?",
        address=seen.address or "?",
        problem=problem,
        claim=seen.claim or "?",
        until=seen.certificate_until or "?",
        file=seen.file or "?",
    )
    return found(SLUG, problem, logs.with_evidence(one, problem))
