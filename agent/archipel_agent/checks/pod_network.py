"""Whether the network of pods came up.

flannel writes /run/flannel/subnet.env when it runs; pods started before that wait for it, which is over in
seconds.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
MISSED = re.compile(r"loadFlannelSubnetEnv failed|open /run/flannel/subnet\.env: no such file")
WRITTEN = re.compile(r"Wrote flannel subnet file")


def is_over(evidence: Evidence) -> bool:
    """Whether flannel has written its file after the last pod that missed it."""
    if logs.pods_are_ready(evidence):
        return True
    lines = logs.lines_now(evidence)
    missed = max((number for number, line in enumerate(lines) if MISSED.search(line)), default=-1)
    return any(WRITTEN.search(line) for line in lines[missed + 1 :])


SIGNS = (
    logs.Sign(
        code="flannel-ended",
        pattern=re.compile(r"flannel exited: (?!.*operation not supported)(?P<reason>[^\"]+)"),
        over=logs.node_is_ready,
    ),
    logs.Sign(code="pod-network-missing", pattern=MISSED, over=is_over),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, *SIGNS)
