"""Whether the machine is too hot, or slowed down because it is.

A Raspberry Pi slows down from 80 degrees Celsius on and stops its clock's growth at 85; most x86 boards
throttle near 95.
"""

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
HOT_PI = 80.0
HOT = 90.0


def look(evidence: Evidence) -> CheckResult:
    """Judge temperature and throttling."""
    degrees, throttling = evidence.usage.temperature_c, evidence.usage.throttling
    shown = f"{degrees:.0f} C" if degrees is not None else "?"
    slowed = bool(throttling.throttled or throttling.capped)
    if slowed and not throttling.under_voltage:
        return found(SLUG, f"{shown}, slowed down", finding("heat-throttled", temperature=shown))
    if degrees is not None and degrees >= (HOT_PI if evidence.facts.raspberry_pi else HOT):
        return found(SLUG, shown, finding("heat", temperature=shown))
    if throttling.throttled_since_boot and not throttling.under_voltage_since_boot:
        return found(SLUG, f"{shown}, was slowed down", finding("heat-throttled-past", temperature=shown))
    if degrees is None:
        return undecided(SLUG, "the temperature could not be read")
    return passed(SLUG, shown)
