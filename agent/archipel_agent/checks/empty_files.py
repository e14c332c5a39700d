"""Whether files k3s needs at its start are empty.

k3s does not fsync its keys, certificates and tokens; a power cut within seconds of writing leaves them empty, and k3s
then refuses to start for ever (seen on v1.36.3).
"""

from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SHOWN = 3


def look(evidence: Evidence) -> CheckResult:
    """Judge the sizes."""
    empty = evidence.empty_files
    if empty is None:
        return undecided(SLUG, "the files of k3s were not looked at")
    if not empty:
        return passed(SLUG, "no file of k3s is empty")
    files = ", ".join(empty[:SHOWN]) + (f" and {len(empty) - SHOWN} more" if len(empty) > SHOWN else "")
    return found(SLUG, f"{len(empty)} empty", finding("k3s-files-empty", empty, None, files=files))
