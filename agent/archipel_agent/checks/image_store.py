"""Whether stored images are whole. A layer not yet on disk at a power cut is left behind empty."""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="image-damaged",
    pattern=re.compile(
        r"failed to extract layer|blob not found|exec (?!/var/lib/rancher/)/\S+: exec format error"
        r"|content digest sha256:\w+: not found"
        r"|mismatched image rootfs and manifest layers|unexpected commit digest"
    ),
    over=logs.pods_are_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN, containerd=True)
