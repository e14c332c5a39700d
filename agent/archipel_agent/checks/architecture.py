"""Whether k3s and the agent are built for this processor.

k3s publishes x86_64, aarch64 and 32-bit ARM; the agent needs a 64-bit kernel (its dependencies have no 32-bit
ARM wheels).
"""

from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = PREFLIGHT
SUPPORTED = ("aarch64", "x86_64")


def look(evidence: Evidence) -> CheckResult:
    """Judge kernel and userland."""
    architecture = evidence.facts.architecture
    if not architecture:
        return undecided(SLUG, "the processor's architecture could not be read")
    if architecture not in SUPPORTED:
        return found(SLUG, architecture, finding("architecture-unsupported", architecture=architecture))
    if evidence.userland_bits == 32:
        return found(
            SLUG, f"{architecture}, 32-bit programs", finding("userland-32-bit", architecture=architecture)
        )
    return passed(SLUG, architecture)
