"""Whether the device with k3s' data nears its end, reports errors, was made read-only, or is written too much.

A medium's own word counts most: eMMC and SSDs know how worn they are. SD cards say nothing, so of those only errors, and
what is written a day against what would let one last five years, can be judged.
"""

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_agent.flash.seen import FlashSeen
from archipel_agent.flash.wear import END, PRE_END, Wear
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = BOTH
WORN_PERCENT, ENDING_PERCENT = 100, 80
MB = 1_000_000


def look(evidence: Evidence) -> CheckResult:
    """Judge what was seen of it."""
    seen = evidence.flash
    if seen is None or (not seen.devices and not seen.remounted):
        return undecided(SLUG, "which device holds the data could not be determined")
    findings = [
        *_lost(seen),
        *(one for wear in seen.devices for one in _worn(wear)),
        *_errors(seen),
        *_spent(seen),
    ]
    said = ", ".join([*map(_words, seen.devices), *_rate_words(seen)])
    return found(SLUG, said, *findings) if findings else passed(SLUG, said)


def _lost(seen: FlashSeen) -> list[Finding]:
    return [
        logs.with_evidence(finding("flash-read-only", place=logs.short(place)), *seen.errors)
        for place in seen.remounted
    ]


def _worn(wear: Wear) -> list[Finding]:
    used = wear.used_percent or 0
    name, shown = logs.short(wear.name or wear.kind), f"{used} %" if used else "?"
    if wear.failing or used >= WORN_PERCENT or wear.spare == END:
        return [finding("flash-worn", device=wear.device, name=name, used=shown)]
    if used >= ENDING_PERCENT or wear.spare == PRE_END:
        return [finding("flash-ending", device=wear.device, name=name, used=shown)]
    return []


def _errors(seen: FlashSeen) -> list[Finding]:
    """Only what the kernel logged since the start: counters that never go back would be a finding for ever."""
    if not seen.errors:
        return []
    device = " ".join(one.device for one in seen.devices) or "?"
    return [logs.with_evidence(finding("flash-errors", device=device), *seen.errors)]


def _spent(seen: FlashSeen) -> list[Finding]:
    week, bound = seen.rates.week, seen.budget
    if week is None or bound is None or week <= bound:
        return []
    device = " ".join(one.device for one in seen.devices)
    spent = finding(
        "flash-budget-passed", device=device, written=f"{week / MB:.0f} MB", budget=f"{bound / MB:.0f} MB"
    )
    return [logs.with_evidence(spent, *seen.writers)]


def _words(wear: Wear) -> str:
    parts = [wear.kind, wear.device, f"({wear.name})" if wear.name else ""]
    used = f"{wear.used_percent} % used" if wear.used_percent is not None else ""
    errors = f"{wear.errors} errors counted" if wear.errors else ""
    return " ".join(part for part in (*parts, used, errors) if part)


def _rate_words(seen: FlashSeen) -> list[str]:
    now, week, bound = seen.rates.now, seen.rates.week, seen.budget
    if now is None or week is None:
        return ["how much is written is not known yet"]
    kept = f" of {bound / MB:.0f}" if bound is not None else ""
    return [f"{now / MB:.0f} MB a day now, {week / MB:.0f}{kept} over seven days"]
