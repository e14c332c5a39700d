"""Whether a Raspberry Pi gets the voltage it needs.

The firmware reports it; other machines say nothing, which decides nothing.
"""

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge the firmware's report."""
    now = evidence.usage.throttling.under_voltage
    before = evidence.usage.throttling.under_voltage_since_boot
    if now:
        return found(SLUG, "voltage too low now", finding("under-voltage"))
    if before:
        return found(SLUG, "voltage was too low since the start", finding("under-voltage-past"))
    if now is None:
        return undecided(SLUG, "this machine does not report its supply voltage")
    return passed(SLUG, "voltage good")
