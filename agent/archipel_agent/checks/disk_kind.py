"""Whether k3s' data lies on a medium that writes slowly and wears.

k3s' documentation: SD cards and eMMC cannot carry etcd's load; SQLite, which a single server uses, asks far
less. So etcd there, or the wish for it in a drop-in, is a finding of its own.
"""

import re

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
ETCD_WISHED = re.compile(r"^\s*cluster-init:\s*(true|\"true\"|'true')", re.MULTILINE)
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
    if code == "disk-sd-card" and evidence.datastore == "etcd":
        code = "etcd-on-card"
    elif code == "disk-sd-card" and ETCD_WISHED.search(evidence.k3s_drop_ins or ""):
        code = "etcd-wished-on-card"
    said = f"{disk.kind} {disk.device}".strip()
    return found(SLUG, said, finding(code, device=disk.device or disk.path)) if code else passed(SLUG, said)
