"""Whether the agent's own state can be used.

The text comes from whoever tried to open it; nothing is opened here. k3s does not depend on it and runs on.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
KINDS = (
    ("state-newer", re.compile(r"newer", re.IGNORECASE)),
    ("state-locked", re.compile(r"locked|in use|busy", re.IGNORECASE)),
    ("state-read-only", re.compile(r"read-?only|readonly|permission denied", re.IGNORECASE)),
    ("disk-full", re.compile(r"no space left|disk is full|disk full", re.IGNORECASE)),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge what came of opening the state."""
    problem = logs.short(evidence.state_problem)
    if not problem:
        return passed(SLUG, "usable")
    code = next((code for code, pattern in KINDS if pattern.search(problem)), "state-damaged")
    disk = evidence.disks.get("state")
    path = disk.path if disk else "/var/lib/archipel"
    one = finding(code, path=path, problem=problem, free="0 MB", share="0 %")
    return found(SLUG, problem, logs.with_evidence(one, problem))
