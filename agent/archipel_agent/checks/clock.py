"""Whether the clock can be trusted with certificates.

A board without a real-time clock starts in 1970 or where it was switched off. Certificates made then are
valid in the wrong years, and k3s orders its files by their time. k3s itself refuses only years before 1980.
"""

import re
from datetime import datetime, timedelta

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.facts import ClockQuality
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH

FIRST_YEAR = 2026  # this program did not exist before
FAR_AHEAD = timedelta(days=9 * 365)  # beyond the ten years of k3s' own CA, less a margin
SLACK = timedelta(minutes=5)
REFUSED = re.compile(r"server time isn't set properly")


def look(evidence: Evidence) -> CheckResult:
    """Judge the time and who keeps it."""
    now, floor = evidence.now, evidence.not_before
    shown = {
        "now": now.strftime("%Y-%m-%d %H:%M UTC"),
        "floor": floor.strftime("%Y-%m-%d") if floor else str(FIRST_YEAR),
    }
    lines = tuple(line for line in logs.lines_now(evidence) if REFUSED.search(line))[-1:]
    if lines or _is_behind(now, floor):
        return found(
            SLUG, shown["now"], logs.with_evidence(finding("clock-behind", (), None, **shown), *lines)
        )
    if _is_ahead(now, floor):
        return found(SLUG, shown["now"], finding("clock-ahead", (), None, **shown))
    if evidence.clock is not ClockQuality.WRONG and _differs(evidence):
        assert evidence.time is not None and evidence.time.offset_ms is not None  # that is how it differs
        apart = timedelta(milliseconds=evidence.time.offset_ms)
        return found(SLUG, shown["now"], finding("clock-not-the-fleets", (), None, side=_coarse(apart)))
    if evidence.clock is ClockQuality.WRONG:
        code = "clock-behind" if floor is not None and now < floor else "clock-ahead"
        return found(SLUG, shown["now"], finding(code, (), None, **shown))
    if evidence.clock is ClockQuality.PLAUSIBLE:
        code = "clock-no-rtc" if evidence.facts.has_rtc is False else "clock-unsynchronised"
        return found(SLUG, f"{shown['now']}, nobody keeps it", finding(code, (), None, **shown))
    if evidence.clock is ClockQuality.SYNCHRONIZED:
        stops = f"; without power it stops, and is then no earlier than {shown['floor']}"
        return passed(SLUG, f"{shown['now']}, synchronised{stops if evidence.facts.has_rtc is False else ''}")
    return undecided(SLUG, f"{shown['now']}; whether anything keeps it could not be read")


def _differs(evidence: Evidence) -> bool:
    time = evidence.time
    return (
        time is not None
        and time.offset_ms is not None
        and abs(time.offset_ms) > SLACK / timedelta(milliseconds=1)
    )


def _coarse(apart: timedelta) -> str:
    """Return how far it is off, with its sign and so coarse that a clock which drifts does not change it every hour."""
    sign, minutes = ("-" if apart < timedelta() else "+"), abs(apart) // timedelta(minutes=1)
    for unit, size in (("y", 525_600), ("d", 1_440), ("h", 60)):
        if minutes >= size:
            return f"{sign}{minutes // size} {unit}"
    return f"{sign}{minutes // 5 * 5} min"


def _is_behind(now: datetime, floor: datetime | None) -> bool:
    return now.year < FIRST_YEAR or (floor is not None and now + SLACK < floor)


def _is_ahead(now: datetime, floor: datetime | None) -> bool:
    if floor is None:
        return now.year >= FIRST_YEAR + 10
    return now - floor > FAR_AHEAD
