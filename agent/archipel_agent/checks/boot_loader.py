"""Whether the boot loader in a Raspberry Pi's EEPROM is so old that its known defects are worth an update.

The boards with one (4, 400, 5, Compute Module 4 and 5) tell when it was built in the device tree; others have none. An old
one is no defect by itself: start from NVMe and USB, and what a board does after a brown-out, got better over the years.
"""

from datetime import timedelta

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
OLD = timedelta(days=3 * 365)  # the project's choice: Raspberry Pi releases one to three a year


def look(evidence: Evidence) -> CheckResult:
    """Judge its age by the later of the clock and the time floor, so that a clock in 1970 makes nothing young."""
    built = evidence.board.bootloader_built
    if built is None:
        if evidence.facts.raspberry_pi or not evidence.facts.architecture:
            return undecided(SLUG, "no build time of a boot loader in the device tree")
        return passed(SLUG, "not a Raspberry Pi: its firmware is not looked at")
    shown = built.strftime("%Y-%m-%d")
    now = max(evidence.now, evidence.not_before or evidence.now)
    if now - built > OLD:
        return found(SLUG, f"built {shown}", finding("bootloader-old", built=shown))
    return passed(SLUG, f"built {shown}")
