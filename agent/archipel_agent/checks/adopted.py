"""Where an adopted k3s differs from one that Archipel sets up; nothing of it is changed by us."""

from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME


def look(evidence: Evidence) -> CheckResult:
    """Judge the differences."""
    if evidence.site is None:
        return undecided(SLUG, "no site is set up here")
    if not evidence.site.adopted:
        return passed(SLUG, "set up by Archipel")
    if evidence.drift is None:
        return undecided(SLUG, "its settings were not read")
    if not evidence.drift:
        return passed(SLUG, "adopted, and as Archipel would have set it up")
    made = finding("site-adopted-drift", evidence.drift, count=str(len(evidence.drift)))
    return found(SLUG, f"{len(evidence.drift)} differences", made)
