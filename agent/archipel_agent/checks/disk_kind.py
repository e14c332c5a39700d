"""Whether k3s' data lies on a medium that writes slowly and wears.

k3s' documentation: SD cards and eMMC cannot carry etcd's load; SQLite, which a single server uses, asks far
less.
"""

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
CODES = {
    "sd": "disk-sd-card",
    "emmc": "disk-sd-card",
    "memory": "disk-in-memory",
    "network": "disk-on-network",
}


def look(evidence: Evidence) -> CheckResult:
    """Judge the medium."""
    disk = evidence.disks.get("data")
    if disk is None or disk.kind in ("", "unknown"):
        return undecided(SLUG, "what kind of disk holds k3s' data could not be determined")
    code = CODES.get(disk.kind)
    said = f"{disk.kind} {disk.device}".strip()
    return found(SLUG, said, finding(code, device=disk.device or disk.path)) if code else passed(SLUG, said)
