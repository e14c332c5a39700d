"""Whether images are missing that no registry in reach can give."""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="image-missing",
    pattern=re.compile(
        r"failed to (?:(?:pull and unpack|pull|get sandbox) image|resolve reference) \"(?P<image>[^\"]+)\""
        r"(?!.*(?:failed to extract layer|blob not found))"
    ),
    over=logs.pods_are_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
