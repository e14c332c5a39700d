"""Whether the kernel has, or can load, what pods and services are built on.

The list is what k3s loads itself at start (pkg/agent/syssetup/setup.go) and cannot do without. vxlan is a
check of its own, because its lack has a remedy of its own.
"""

from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = PREFLIGHT
NEEDED = ("br_netfilter", "nf_conntrack", "overlay")


def look(evidence: Evidence) -> CheckResult:
    """Judge the modules."""
    missing = [name for name in NEEDED if evidence.modules.get(name) is False]
    if missing:
        return found(
            SLUG, f"missing: {' '.join(missing)}", finding("kernel-module-missing", modules=" ".join(missing))
        )
    unread = [name for name in NEEDED if evidence.modules.get(name) is None]
    if unread:
        return undecided(SLUG, f"could not be determined: {' '.join(unread)}")
    return passed(SLUG, " ".join(NEEDED))
