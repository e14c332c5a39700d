"""Whether k3s understood its options: ours, and those the site added in drop-in files.

k3s skips what it does not know in config.yaml with a warning (pkg/configfilearg/parser.go) and ends over the
rest.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGNS = (
    logs.Sign(
        code="k3s-option-wrong",
        pattern=re.compile(
            r"(?P<reason>flag provided but not defined: [^\s\"]+|failed to parse kubelet flag: [^\"]*"
            r"|unknown flag: --[\w-]+|--token is required|--server is required|invalid flag use;[^\"]*"
            r"|only https:// URLs are supported[^\"]*|token must not be empty|failed to normalize server token[^\"]*"
            r"|error converting YAML[^\"]*|yaml: (?:line \d+|unmarshal errors)[^\"]*)"
        ),
        over=logs.node_is_ready,
    ),
    logs.Sign(
        code="k3s-option-unknown",
        pattern=re.compile(r"Unknown flag (?P<option>\S+) found in config\.yaml, skipping"),
    ),
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, *SIGNS)
