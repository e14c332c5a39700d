"""Whether the file systems of k3s' data and of our state can be written to.

A card or disk that reports errors is made read-only by the kernel; k3s then dies with it.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
NEEDED = ("data", "state")
LOGGED = re.compile(r"/var/lib/rancher\S*: read-only file system")


def look(evidence: Evidence) -> CheckResult:
    """Judge whether they are mounted read-only."""
    known = [evidence.disks[name] for name in NEEDED if name in evidence.disks]
    paths = list(dict.fromkeys(disk.path for disk in known if disk.read_only))
    if paths:
        lines = [line for line in logs.lines_now(evidence) if LOGGED.search(line)]
        findings = [logs.with_evidence(finding("disk-read-only", path=path), *lines[-2:]) for path in paths]
        return found(SLUG, f"read-only: {' '.join(paths)}", *findings)
    if len(known) < len(NEEDED):
        return undecided(SLUG, "how the file systems are mounted could not be read")
    return passed(SLUG, "writable")
