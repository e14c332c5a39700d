"""Whether the server still knows this node.

Each node proves by /etc/rancher/node/password that it is the one registered under its name (k3s
pkg/nodepassword). A new disk with old server data, or two machines of one name, break that.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="node-password-rejected",
    pattern=re.compile(r"Node password rejected, duplicate hostname|unable to verify password for node"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
