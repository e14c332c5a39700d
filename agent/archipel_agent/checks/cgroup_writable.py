"""Whether the kubelet may write to the control groups.

Inside containers and nspawn hosts they are often read-only. systemd then shows k3s as running although it
ends every few seconds.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="cgroup-read-only",
    pattern=re.compile(r"Failed to start ContainerManager.*(?:read-only file system|permission denied)"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
