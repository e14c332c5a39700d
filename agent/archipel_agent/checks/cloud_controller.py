"""Whether the built-in cloud controller got its rights, without which k3s stops.

They come from a manifest k3s installs itself; a site that skips that manifest keeps k3s from starting.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="cloud-controller-rights",
    pattern=re.compile(r"failed to wait for cloud-controller-manager RBAC"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
