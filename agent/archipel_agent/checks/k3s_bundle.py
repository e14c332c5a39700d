"""Whether the programs k3s unpacked on this disk are intact.

k3s unpacks itself once below its data directory and uses that from then on (pkg/dataverify checks it when
asked).
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, slug_of
from archipel_contract.catalogue import finding
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
    """Judge what was unpacked where it was looked at, else the log."""
    broken = evidence.broken_programs
    if broken:
        return found(SLUG, f"{len(broken)} not as unpacked", finding("k3s-bundle-damaged", broken))
    return logs.look_for(SLUG, evidence, SIGN)
