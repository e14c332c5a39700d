"""Whether the container runtime runs. Its reasons stand in a log of its own, below agent/containerd."""

import re
from dataclasses import replace

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="containerd-failed",
    pattern=re.compile(r"containerd exited|failed to start container runtime|failed to start containerd"),
    over=logs.node_is_ready,
)


# The runtime's own book of images and containers (bolt) is damaged. containerd then "boots" without the parts that need it,
# and k3s waits for them for ever (seen on v1.36.3).
STATE = logs.Sign(
    code="containerd-state-damaged",
    pattern=re.compile(
        r"failed to load plugin\"? error=\"?[^\"]*(?:invalid database|checksum error|version mismatch)"
        r"|panic: .*(?:freelist|page \d+ (?:already freed|is not))|meta\.db: (?:invalid|checksum)"
    ),
)
# The same as k3s sees it, where containerd's own log could not be read.
WAITING = logs.Sign(
    code="containerd-state-damaged",
    pattern=re.compile(r"Waiting for containerd startup: .*unknown service runtime\.v1\.RuntimeService"),
    over=logs.node_is_ready,
    least=10,  # said once a second; a slow start may say it a few times
)
ENDED = re.compile(r"level=(?:error|fatal)|^containerd: ")


def look(evidence: Evidence) -> CheckResult:
    """Judge the log of k3s; the reason is quoted from containerd's own."""
    state = logs.seen(STATE, logs.containerd_lines(evidence))
    if state is not None and not logs.unreadable(evidence):
        return found(SLUG, state.summary, state)
    result = logs.look_for(SLUG, evidence, SIGN, WAITING)
    reasons = [line for line in logs.containerd_lines(evidence) if ENDED.search(line)][-2:]
    if not (result.findings and reasons):
        return result
    one, *others = result.findings
    return replace(result, findings=(logs.with_evidence(one, *one.evidence[-1:], *reasons), *others))
