"""Findings: problems in plain words, and the results of the checks that look for them.

A check answers with one of three verdicts; without evidence the answer is UNDECIDED, never OK. The words a person reads
come from the catalogue by code and parameters; `summary` and `next_step` repeat them in English so that a reader who
does not know the code (an older TUI, `curl`) still sees a sentence.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters to the site."""

    HINT = "hint"  # nothing is wrong yet
    WARNING = "warning"  # works, but not as it should, or not for long
    PROBLEM = "problem"  # something does not work, or will not start
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What a check could say."""

    OK = "ok"
    FOUND = "found"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A repair the agent can do itself, as a job with the verb `fix`.

    What it will do, and how that is taken back, stands in the catalogue beside the finding's other sentences (`plan`,
    `undo`), so that a report does not carry it.
    """

    code: str
    restarts: bool = False  # whether k3s restarts
    usual_seconds: int = 0
    reboots: bool = False  # whether it takes effect only once somebody restarts the machine
    undo: bool = False  # whether `archipel doctor --undo CODE` takes it back


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem: a stable code, the evidence it rests on and the parameters of its sentences."""

    code: str
    severity: Severity
    evidence: tuple[str, ...] = ()  # log lines or measured values, redacted, at most a few
    params: dict[str, str] = field(default_factory=dict)
    since: str = ""  # RFC 3339, when the agent first saw it
    fix: Fix | None = None
    summary: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found. `said` tells in one line what was measured, for OK and UNDECIDED as well."""

    slug: str
    verdict: Verdict
    said: str = ""
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


def worst(findings: tuple[Finding, ...]) -> Finding | None:
    """Return the gravest finding, the first of equals; None when there is none."""
    order = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.HINT: 2, Severity.UNKNOWN: 1}
    return min(findings, key=lambda finding: order[finding.severity], default=None)
