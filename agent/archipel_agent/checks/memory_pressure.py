"""Whether the machine runs out of memory.

The kubelet evicts pods when less than 100 MB is left (Kubernetes' default evictionHard); the kernel kills
after that.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.amounts import percent, size
from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
FULL_SHARE = 0.92
SIGN = logs.Sign(
    code="memory-pressure",
    pattern=re.compile(
        r'attempting to reclaim.*resourceName="memory"|System OOM encountered|NodeHasInsufficientMemory'
        r"|A process of this unit has been killed by the OOM killer|Failed with result 'oom-kill'"
    ),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge use now, and evictions and kills in the log."""
    used, total = evidence.usage.memory_used_bytes, evidence.usage.memory_total_bytes
    lines = [line for line in logs.lines_now(evidence) if SIGN.pattern.search(line)]
    known = used is not None and bool(total)
    said = f"{percent(used, total)} of {size(total)} used" if used is not None and total else "?"
    if lines or (used is not None and total and used >= FULL_SHARE * total):
        one = finding("memory-pressure", used=said)
        return found(SLUG, said, logs.with_evidence(one, *lines[-logs.EVIDENCE_LINES :]))
    return passed(SLUG, said) if known else undecided(SLUG, "the memory in use could not be read")
