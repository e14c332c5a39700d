"""Whether k3s reaches the server it belongs to: its own on loopback, or the one its settings name.

127.0.0.1:6444 is k3s' own load balancer in front of that server and tells nothing by itself (pkg/agent/loadbalancer).
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGNS = (
    logs.Sign(
        code="own-server-unreachable",
        pattern=re.compile(
            r"Failed to validate connection to cluster at https://(?:127\.0\.0\.1|localhost|\[::1\]):6443"
        ),
        over=logs.node_is_ready,
        least=5,  # every two seconds while the server starts
    ),
    logs.Sign(
        code="server-unreachable",
        pattern=re.compile(
            r"Failed to validate connection to cluster at (?P<server>https://"
            r"(?!(?:127\.0\.0\.1|localhost|\[::1\]):6443)[^\s\"]+?): (?!token )"
        ),
        over=logs.node_is_ready,
    ),
    logs.Sign(
        code="server-unreachable",
        pattern=re.compile(r"Get \"(?P<server>https://[^/\s\"]+)/v1-k3s/server-bootstrap\": dial tcp"),
        over=logs.node_is_ready,
    ),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, *SIGNS)
