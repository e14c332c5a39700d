"""What became of the answer file, if there is one: its mistakes, and what it asked for and did not get."""

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.answers import AnswersState
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
OURS = "answers-"  # what else stands in the way of `up` is found by the check it belongs to


def look(evidence: Evidence) -> CheckResult:
    """Judge what whoever applies answer files says."""
    seen = evidence.answers
    if seen is None:
        return undecided(SLUG, "nobody looks for answer files here")
    ours = tuple(one for one in seen.findings if one.code.startswith(OURS))
    if ours:
        return found(SLUG, f"{seen.file or 'no file'}: {len(ours)} of its wishes not done", *ours)
    if seen.state is AnswersState.NONE:
        return passed(SLUG, "there is none")
    return passed(SLUG, f"{seen.file}: {seen.state.value}")
