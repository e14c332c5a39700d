"""Whether k3s' own certificates hold, and for how long yet.

k3s signs them for a year and renews at its start what has less than 120 days left; one that runs for a year without a
restart comes to a stop when they end. So a restart is planned in good time, in the window the site allows for it.
"""

from datetime import datetime, timedelta

from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_agent.k3s.certificates import AUTHORITY, Certificate, first_to_end
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = RUNTIME

SOON = timedelta(days=90)
SLACK = timedelta(hours=1)


def look(evidence: Evidence) -> CheckResult:
    """Compare what stands in the files with the time."""
    first = first_to_end(evidence.certificates or ())
    if evidence.certificates is None or first is None:
        return undecided(SLUG, "k3s has made none yet, or they cannot be read")
    until = f"the first ends on {_day(first.ends)}"
    if evidence.time is None or not evidence.time.checks_dates:
        return undecided(SLUG, f"{until}; the clock is too unsure to say whether that is past")
    now = evidence.time.now
    early = [one for one in evidence.certificates if one.kind != AUTHORITY and one.begins > now + SLACK]
    if first.ends <= now:
        return found(
            SLUG, until, finding("k3s-certificates-ended", (_line(first),), None, until=_day(first.ends))
        )
    if early:
        said = finding("k3s-certificates-early", (_line(early[0]),), None, begins=_day(early[0].begins))
        return found(SLUG, f"valid from {_day(early[0].begins)} on only", said)
    if first.ends - now >= SOON:
        return passed(SLUG, f"{until}, in {(first.ends - now).days} days")
    return found(SLUG, until, _ending(evidence, _day(first.ends)))


def _ending(evidence: Evidence, until: str) -> Finding:
    if evidence.restart_tried:
        return finding("k3s-certificates-not-renewed", (), None, until=until)
    if evidence.restart_at is None:
        return finding("k3s-certificates-unplanned", (), None, until=until)
    at = evidence.restart_at.strftime("%H:%M")
    return finding("k3s-certificates-ending", (), None, until=until, at=at)


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _line(one: Certificate) -> str:
    return f"{one.file}: valid from {one.begins:%Y-%m-%d %H:%M} to {one.ends:%Y-%m-%d %H:%M} UTC"
