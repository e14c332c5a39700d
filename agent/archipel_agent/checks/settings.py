"""Whether the agent's settings file can be used.

The text, with file and key, comes from whoever read it. An agent with wrong settings goes on with those it
had.
"""

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge what came of reading the settings."""
    problem = logs.short(evidence.settings_problem)
    if not problem:
        return passed(SLUG, "usable")
    return found(SLUG, problem, logs.with_evidence(finding("settings-invalid", problem=problem), problem))
