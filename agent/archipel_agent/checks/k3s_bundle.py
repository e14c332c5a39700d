"""Whether the programs k3s unpacked on this disk are intact.

k3s unpacks itself once below its data directory and uses that from then on (pkg/dataverify checks it when
asked).
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="k3s-bundle-damaged",
    pattern=re.compile(
        r"Hash for file .* expected to be|failed to verify directory"
        r"|exec:? \"?\S*/k3s/data/[^\s\"]+\"?: (?:exec format error|no such file or directory|permission denied)"
        r"|exec: \"(?:runc|containerd|containerd-shim-runc-v2|flannel)\": executable file not found"
    ),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
