"""Whether SELinux is on without k3s knowing (pkg/agent/containerd/config_linux.go warns of it)."""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="selinux-unused",
    pattern=re.compile(r"SELinux is enabled on this host, but k3s has not been started with --selinux"),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
