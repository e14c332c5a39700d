"""Whether certificate files on disk contradict the datastore.

k3s refuses to start when such a file is newer than its copy in the datastore (pkg/cluster/bootstrap.go):
after a clock that jumped, or files put back by hand.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="files-newer-than-datastore",
    pattern=re.compile(r"(?P<files>/\S+(?:, /\S+)*) newer than datastore and could cause a cluster outage"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
