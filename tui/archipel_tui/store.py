"""What the screen knows: one frozen picture, replaced by pure changes as the agent tells more.

The workers in `feed` make changes, the app applies them one after the other and tells the screens. Nothing
here touches the agent or the terminal.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from archipel_contract.api import AccessRole, Checks
from archipel_contract.catalogue.ui import Words
from archipel_contract.findings import Finding, Verdict
from archipel_contract.jobs import Job, JobEvent
from archipel_contract.status import Report

KEPT_LINES = 200  # of a job's log; more than any terminal shows at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything the screens draw from. Times ending in `_at` are monotonic seconds."""

    report: Report | None = None
    heard_at: float = 0.0
    role: AccessRole = AccessRole.VIEW
    away: str = ""  # why the agent does not answer, empty while it does
    refused: str = ""  # what the agent said when it answered and refused
    locked: bool = False  # the socket is there and this user may not open it
    away_since: datetime | None = None
    job: Job | None = None
    job_at: float = 0.0
    job_sequence: int = 0
    job_lines: tuple[str, ...] = ()
    checks: Checks | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the last report."""
        return self.report.findings if self.report else ()

    @property
    def rehearsed(self) -> bool:
        """Whether the machine and its k3s are simulated."""
        return self.report is not None and self.report.rehearsed

    @property
    def job_runs(self) -> bool:
        """Whether a job is known that is not over."""
        return self.job is not None and not self.job.is_over


Change = Callable[[Picture], Picture]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a view draws from: the picture, the words, and what time it is."""

    picture: Picture
    words: Words
    now: datetime
    monotonic: float


def heard(report: Report, at: float) -> Change:
    """A report came."""
    return lambda picture: replace(picture, report=report, heard_at=at, away="", refused="", away_since=None)


def silent(reason: str, now: datetime, locked: bool = False) -> Change:
    """The agent does not answer, or no longer; `locked` when this user may not even ask."""
    return lambda picture: replace(
        picture, away=reason, refused="", locked=locked, away_since=picture.away_since or now
    )


def refused(message: str, now: datetime) -> Change:
    """The agent answers, but not with what was asked."""
    return lambda picture: replace(
        picture, away=message, refused=message, away_since=picture.away_since or now
    )


def allowed(role: int) -> Change:
    """The agent said what this user may do."""
    known = AccessRole(min(max(role, AccessRole.VIEW), AccessRole.OWNER))
    return lambda picture: replace(picture, role=known)


def began(job: Job, at: float) -> Change:
    """A job was started here, or found running."""

    def change(picture: Picture) -> Picture:
        if picture.job is not None and picture.job.id == job.id:
            return replace(picture, job=job, job_at=at)
        return replace(picture, job=job, job_at=at, job_sequence=0, job_lines=())

    return change


def happened(event: JobEvent, at: float) -> Change:
    """The job went on; what was already seen is left out."""

    def change(picture: Picture) -> Picture:
        if picture.job is None or picture.job.id != event.job.id or event.sequence <= picture.job_sequence:
            return picture
        lines = (*picture.job_lines, event.line)[-KEPT_LINES:] if event.line else picture.job_lines
        return replace(picture, job=event.job, job_at=at, job_sequence=event.sequence, job_lines=lines)

    return change


def checked(checks: Checks | None) -> Change:
    """The checks were run, or (None) are being run."""
    return lambda picture: replace(picture, checks=checks)


def all_findings(picture: Picture) -> tuple[Finding, ...]:
    """Return what the report has, then what only the checks found, each once.

    A parameter may be the time of day, so the two may tell of one thing in two ways: where the checks have no more of a code
    than the report, it is the same.
    """
    found = list(picture.findings)
    results = picture.checks.results if picture.checks else ()
    checked = [one for result in results if result.verdict is Verdict.FOUND for one in result.findings]
    for code in dict.fromkeys(one.code for one in checked):
        told = [one for one in checked if one.code == code]
        if len(told) > sum(one.code == code for one in picture.findings):
            found += told
    seen: list[tuple[str, dict[str, str]]] = []
    unique = []
    for finding in found:
        if (finding.code, finding.params) not in seen:
            seen.append((finding.code, finding.params))
            unique.append(finding)
    return tuple(unique)
