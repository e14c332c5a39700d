"""Whether memory is swapped out to a card. k3s allows swap (kubelet runs with failSwapOn=false); a card wears by it."""

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge where swap lies; compressed memory (zram) wears nothing."""
    swaps = evidence.board.swaps
    if swaps is None:
        return undecided(SLUG, "/proc/swaps could not be read")
    if not swaps:
        return passed(SLUG, "none")
    on_card = [one for one in swaps if one.on_card]
    said = ", ".join(one.name for one in swaps)
    return (
        found(SLUG, said, finding("swap-on-card", place=on_card[0].name)) if on_card else passed(SLUG, said)
    )
