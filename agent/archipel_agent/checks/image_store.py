"""Whether stored images are whole, and the archives they come from. A layer not yet on disk at a power cut is left behind
empty; a copy that broke off leaves half an archive.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, slug_of
from archipel_contract.catalogue import finding
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


ARCHIVE = logs.Sign(
    code="image-archive-damaged",
    pattern=re.compile(r"failed to import (?P<file>/[^\s:]+): failed to import images from"),
)


# A program that a power cut left empty says so to nobody but its pod (seen on v1.36.3); one for another processor as well.
HOLLOW = re.compile(r": exec /\S+: exec format error$")


def look(evidence: Evidence) -> CheckResult:
    """Judge the log, and the last words of pods that cannot start."""
    result = logs.look_for(SLUG, evidence, SIGN, ARCHIVE, containerd=True)
    hollow = tuple(line for line in evidence.pod_words if HOLLOW.search(line))
    if not hollow or result.findings:
        return result
    return found(
        SLUG, "a pod's program cannot be executed", logs.with_evidence(finding("image-damaged"), *hollow)
    )
