"""Whether the container runtime runs. Its reasons stand in a log of its own, below agent/containerd."""

import re
from dataclasses import replace

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="containerd-failed",
    pattern=re.compile(r"containerd exited|failed to start container runtime|failed to start containerd"),
    over=logs.node_is_ready,
)


ENDED = re.compile(r"level=(?:error|fatal)|^containerd: ")


def look(evidence: Evidence) -> CheckResult:
    """Judge the log of k3s; the reason is quoted from containerd's own."""
    result = logs.look_for(SLUG, evidence, SIGN)
    reasons = [line for line in logs.containerd_lines(evidence) if ENDED.search(line)][-2:]
    if not (result.findings and reasons):
        return result
    (one,) = result.findings
    return replace(result, findings=(logs.with_evidence(one, *one.evidence[-1:], *reasons),))
