"""Whether the hardware watchdog that was asked for really counts.

A driver that refuses the time leaves the machine without a watchdog, and systemd says so only in its log.
"""

from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
ACTIVE = "active"


def look(evidence: Evidence) -> CheckResult:
    """Judge what was asked for against what the kernel shows."""
    seen = evidence.watchdog
    if seen is None:
        return undecided(SLUG, "could not be read")
    if not seen.present:
        return passed(SLUG, "this machine has none")
    if not seen.asked_for:
        return passed(SLUG, "there is one, and it is not asked for")
    if not seen.state:
        return undecided(SLUG, "the kernel does not tell whether it counts")
    if seen.state != ACTIVE:
        return found(SLUG, seen.state, finding("watchdog-silent"))
    return passed(SLUG, f"counts, {seen.timeout} s" if seen.timeout is not None else "counts")
