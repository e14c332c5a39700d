"""Whether pods can be started at all in what k3s is allowed to do here.

Without CAP_SYS_RESOURCE a sandbox cannot lower its oom_score_adj; runc then only says that its child ended
(the cause stands in a file of its own). Seen with k3s 1.36.3.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="pod-sandbox-refused",
    pattern=re.compile(r"can.t get final child.s PID from pipe|failed to update /proc/self/oom_score_adj"),
    over=logs.pods_are_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN, containerd=True)
