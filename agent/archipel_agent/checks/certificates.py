"""Whether certificates are refused because of their dates.

Either the clock is wrong, or a certificate has really ended: k3s renews at a start what has less than 120
days left.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="certificate-dates",
    pattern=re.compile(
        r"(?<!existing certificate: )x509: certificate has expired or is not yet valid"
        r"(?:: current time (?P<now>\S+) is (?:before|after) (?P<limit>[^\s\"]+))"
    ),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
