"""Whether the k3s that would be used runs on this machine.

Judged by what came of asking it for its version, and by what systemd says when it cannot be started.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, Phase, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH

ABSENT = re.compile(r"no such file|not found|no k3s", re.IGNORECASE)
WRONG_KIND = re.compile(
    r"exec format error|cannot execute binary|is for .+, this machine is|32-bit program", re.IGNORECASE
)
CUT_SHORT = re.compile(
    r"truncated|broke off|segmentation fault|SIGSEGV|SIGBUS|bus error|unexpected EOF|core.dump", re.IGNORECASE
)
SIGNS = (
    logs.Sign(
        code="k3s-wrong-architecture",
        pattern=re.compile(
            r"(?:Failed to execute|Failed at step EXEC).*k3s.*Exec format error|/k3s\S*: Exec format error$"
        ),
        over=logs.node_is_ready,
    ),
    logs.Sign(
        code="k3s-not-found",
        pattern=re.compile(r"Failed to (?:locate|find) executable (?P<path>\S*k3s): No such file.*"),
        over=logs.node_is_ready,
    ),
    logs.Sign(
        code="k3s-truncated",
        pattern=re.compile(
            r"(?P<path>k3s)\.service: (?P<problem>Main process exited, code=(?:dumped|killed)"
            r", status=(?:11/SEGV|7/BUS|4/ILL))"
        ),
        over=logs.node_is_ready,
    ),
)


# systemd's own word for "could not be executed"; why stands in a line of the process that tried, which the journal does not
# always ascribe to the unit (seen with systemd 252).
NOT_EXECUTED = logs.Sign(
    code="k3s-broken",
    pattern=re.compile(
        r"(?P<path>k3s)\.service: (?P<problem>Main process exited, code=exited, status=203/EXEC)"
    ),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the answer to `k3s --version`, and the start."""
    if evidence.binary_problem:
        problem = logs.short(evidence.binary_problem)
        one = finding(code_of(problem), path=_path(evidence), problem=problem)
        return found(SLUG, problem, logs.with_evidence(one, problem))
    if evidence.phase is Phase.RUNTIME:
        for signs in (SIGNS, (NOT_EXECUTED,)):
            result = logs.look_for(SLUG, evidence, *signs)
            if result.findings:
                return result
    if evidence.binary is None:
        return undecided(SLUG, "no k3s was asked for its version")
    return passed(SLUG, logs.short(evidence.binary))


def code_of(problem: str) -> str:
    """Return the finding's code for why a k3s does not run."""
    if WRONG_KIND.search(problem):
        return "k3s-wrong-architecture"
    if CUT_SHORT.search(problem):
        return "k3s-truncated"
    return "k3s-not-found" if ABSENT.search(problem) else "k3s-broken"


def _path(evidence: Evidence) -> str:
    if evidence.binary:
        return evidence.binary.partition(":")[0]
    return evidence.site.k3s.path if evidence.site else "k3s"
