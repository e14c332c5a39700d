"""Whether the kubelet or a program ran out of disk. It then deletes images and evicts pods."""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_agent.checks.disk_space import ADVISED_SHARE
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME


def has_passed(evidence: Evidence) -> bool:
    """Whether there is room again and every pod runs; the lines of the shortage stay in the log until k3s restarts."""
    data = evidence.disks.get("data")
    has_room = data is not None and data.free_bytes > ADVISED_SHARE * data.size_bytes
    return has_room and logs.pods_are_ready(evidence)


SIGN = logs.Sign(
    code="disk-pressure",
    pattern=re.compile(
        r"NodeHasDiskPressure|ImageGCFailed|FreeDiskSpaceFailed|no space left on device"
        r"|database or disk is full"
        r"|attempting to reclaim.*resourceName=\"(?:ephemeral-storage|nodefs|imagefs)"
    ),
    over=has_passed,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
