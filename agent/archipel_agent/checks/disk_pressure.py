"""Whether the kubelet or a program ran out of disk. It then deletes images and evicts pods."""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="disk-pressure",
    pattern=re.compile(
        r"NodeHasDiskPressure|ImageGCFailed|FreeDiskSpaceFailed|no space left on device"
        r"|database or disk is full"
        r"|attempting to reclaim.*resourceName=\"(?:ephemeral-storage|nodefs|imagefs)"
    ),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
