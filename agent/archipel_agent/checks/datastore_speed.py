"""Whether the disk keeps up with the datastore.

kine says so for each statement over one second (pkg/metrics/metrics.go). Controllers that cannot renew their
lease in time end, and k3s with them.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGNS = (
    logs.Sign(
        code="datastore-too-slow",
        pattern=re.compile(
            r"leader ?election lost|failed to renew lease|Failed to renew lease", re.IGNORECASE
        ),
    ),
    logs.Sign(
        code="datastore-slow",
        pattern=re.compile(r"Slow SQL|database is locked|apply request took too long|slow fdatasync"),
        least=3,
    ),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, *SIGNS)
