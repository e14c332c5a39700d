"""Whether backups of this site are made as planned, arrive, outlive its disk, and were ever restored for practice."""

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
OVERDUE, UNTRIED, SAME_DISK = "backup-overdue", "backup-not-drilled", "backup-same-disk"


def look(evidence: Evidence) -> CheckResult:
    """Judge how they stand."""
    seen = evidence.backup
    if seen is None:
        return undecided(SLUG, "only the agent knows its backups")
    if not seen.planned:
        return passed(SLUG, "none are planned")
    findings = []
    if seen.code:
        problem = logs.short(seen.problem)
        why = finding(seen.code, step="backup", place=seen.place, problem=problem)
        findings.append(logs.with_evidence(why, problem))
    if seen.overdue:
        findings.append(finding(OVERDUE, last=seen.last or "never"))
    if seen.same_disk:
        findings.append(finding(SAME_DISK, place=seen.place, device=", ".join(seen.same_disk)))
    if seen.last and not seen.drilled:
        findings.append(finding(UNTRIED, place=seen.place))
    said = f"the last was made {seen.last}" if seen.last else "none has been made yet"
    return found(SLUG, said, *findings) if findings else passed(SLUG, said)
