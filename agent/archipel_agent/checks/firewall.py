"""Whether the firewall that was confirmed is in force, and is the one that is declared."""

from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_agent.firewall.standing import Standing
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME


def look(evidence: Evidence) -> CheckResult:
    """Judge what is kept against what the kernel has."""
    stand = evidence.firewall
    if evidence.firewall_kept is None:
        return undecided(SLUG, "the files could not be read")
    if not evidence.firewall_kept:
        return passed(SLUG, "none is kept on")
    if evidence.firewall_declared is False:
        return found(SLUG, "declared otherwise", finding("firewall-declared-otherwise"))
    if stand is None:
        return undecided(SLUG, "kept on; the kernel cannot be asked from here")
    if stand.standing is not Standing.ON:
        return found(SLUG, stand.standing.value, finding("firewall-not-in-force"))
    return passed(SLUG, f"on, {stand.refused} packets refused")
