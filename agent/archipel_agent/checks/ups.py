"""Whether the UPS that feeds this machine is heard, and what it says."""

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_agent.power.seen import NOT_ASKED, UpsSeen
from archipel_agent.power.supply import Supply
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge what it said last."""
    seen = evidence.ups
    if seen is None:
        return undecided(SLUG, "nobody has asked")
    if not seen.name:
        return passed(SLUG, "none is set")
    if seen.problem == NOT_ASKED:
        return undecided(SLUG, "it has not been asked yet; the running agent asks it")
    said = " ".join(part for part in (seen.name, seen.supply, seen.charge) if part)
    findings = _findings(seen)
    return found(SLUG, said, *findings) if findings else passed(SLUG, said)


def _findings(seen: UpsSeen) -> list[Finding]:
    found_ones = []
    if seen.failed:
        found_ones.append(finding("ups-shutdown-failed", ups=seen.name, problem=logs.short(seen.failed)))
    if seen.supply == Supply.UNKNOWN:
        found_ones.append(finding("ups-unknown", ups=seen.name, problem=logs.short(seen.problem)))
    elif seen.shutting_down:
        found_ones.append(finding("ups-shutting-down", ups=seen.name, charge=seen.charge or "?"))
    elif seen.supply != Supply.LINE:
        found_ones.append(finding("ups-on-battery", ups=seen.name, charge=seen.charge or "?"))
    if seen.battery_worn:
        found_ones.append(finding("ups-battery-worn", ups=seen.name))
    return found_ones
