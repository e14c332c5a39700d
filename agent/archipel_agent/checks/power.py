"""Whether a Raspberry Pi gets the voltage it needs.

The firmware reports it, and the kernel notes it in its log, which keeps the moment: the driver that does so may clear the
firmware's memory of it every two seconds (drivers/hwmon/raspberrypi-hwmon.c). Other machines say nothing, which decides
nothing.
"""

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge the firmware's report."""
    now = evidence.usage.throttling.under_voltage
    notes = evidence.board.voltage_notes or ()
    before = evidence.usage.throttling.under_voltage_since_boot or bool(notes)
    if now:
        return found(SLUG, "voltage too low now", logs.with_evidence(finding("under-voltage"), *notes))
    if before:
        past = logs.with_evidence(finding("under-voltage-past"), *notes)
        return found(SLUG, "voltage was too low since the start", past)
    if now is None:
        return undecided(SLUG, "this machine does not report its supply voltage")
    return passed(SLUG, "voltage good")
