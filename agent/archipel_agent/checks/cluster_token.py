"""Whether the token in the settings is the one the cluster was made with, and the files that hold tokens are there.

The token encrypts what a server needs to start again (k3s pkg/cluster/storage.go and bootstrap.go); another
one, or one of another cluster, cannot open it. For a file with a token k3s waits, before it starts anything and
for ever (seen with k3s 1.36.3).
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
MISSING = logs.Sign(
    code="token-file-missing",
    pattern=re.compile(r'Waiting for file "(?P<path>[^"]+)" to be created'),
    over=logs.node_is_ready,
    least=2,
)
SIGN = logs.Sign(
    code="cluster-token-wrong",
    pattern=re.compile(
        r"bootstrap data already found and encrypted with different token"
        r"|no bootstrap data found in datastore|token CA hash does not match the Cluster CA certificate hash"
    ),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN, MISSING)
