"""Whether processor and memory carry a k3s server.

k3s' documentation asks a server for 2 cores and 2 GB. A board sold as 2 GB shows less, because the firmware
keeps a part, hence the margin. Below 1 GiB a server starts and then lives from one shortage to the next: it
is refused.
"""

from archipel_agent.checks.amounts import MIB, size
from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = PREFLIGHT

CORES = 2
MEMORY_ADVISED = 1700 * MIB
MEMORY_NEEDED = 1000 * MIB


def look(evidence: Evidence) -> CheckResult:
    """Judge cores and memory."""
    cpus, memory = evidence.facts.cpus, evidence.facts.memory_bytes
    findings = []
    if memory is not None and memory < MEMORY_NEEDED:
        findings.append(finding("memory-too-small", memory=size(memory)))
    elif memory is not None and memory < MEMORY_ADVISED:
        findings.append(finding("memory-small", memory=size(memory)))
    if cpus is not None and cpus < CORES:
        findings.append(finding("cpu-few", cpus=str(cpus)))
    said = f"{cpus if cpus is not None else '?'} cores, {size(memory) if memory is not None else '?'}"
    if findings:
        return found(SLUG, said, *findings)
    if cpus is None or memory is None:
        return undecided(SLUG, f"could not be read in full: {said}")
    return passed(SLUG, said)
