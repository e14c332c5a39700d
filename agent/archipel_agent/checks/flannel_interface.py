"""Whether the network of pods found the interface it was told to use.

After a change of the address k3s ends once or more because the Node object still has the old one: its network policies then
find no interface "with specified node ip". That passes by itself, and no setting of flannel is wrong.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, slug_of
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME
SIGN = logs.Sign(
    code="flannel-interface-missing",
    pattern=re.compile(
        r"(?:unable|failed) to find (?:the )?interface(?! with specified)(?: (?P<interface>[\w.@-]+))?"
    ),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the log."""
    return logs.look_for(SLUG, evidence, SIGN)
