"""Whether a part of the agent itself keeps failing by a defect, while the others go on. See `rounds`, which counts."""

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge what the rounds have counted."""
    failing = evidence.failing
    if failing is None:
        return undecided(SLUG, "no agent runs whose parts could be seen")
    if not failing:
        return passed(SLUG, "every part of the agent works")
    findings = [
        finding("own-part-failing", (f"{one.part}: {one.problem}",), part=one.part, problem=one.problem)
        for one in failing
    ]
    return found(SLUG, f"{', '.join(one.part for one in failing)} failing", *findings)
