"""Whether somebody else's k3s, or its data, is on this machine already.

We never take over or overwrite a k3s that is not ours.
"""

from archipel_agent.checks import logs
from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = PREFLIGHT


def look(evidence: Evidence) -> CheckResult:
    """Judge the signs of a k3s that is not ours."""
    signs = evidence.foreign_k3s
    if signs is None:
        return undecided(SLUG, "whether another k3s is here could not be determined")
    if not signs:
        return passed(SLUG, "no other k3s")
    shown = finding("foreign-k3s", sign=logs.short(signs[0]))
    return found(SLUG, f"{len(signs)} signs of another k3s", logs.with_evidence(shown, *signs))
