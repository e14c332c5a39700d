"""Whether the kernel can make the tunnel pods of different nodes talk through (flannel's vxlan backend).

Ubuntu kept the module in an extra package for the Raspberry Pi from 21.10 to 23.10.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
SIGN = logs.Sign(
    code="vxlan-missing",
    pattern=re.compile(r"flannel exited: .*operation not supported"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the module, and what flannel said."""
    result = logs.look_for(SLUG, evidence, SIGN)
    if result.findings:
        return result
    has = evidence.modules.get("vxlan")
    if has is None:
        return undecided(SLUG, "whether the kernel has vxlan could not be determined")
    return passed(SLUG, "vxlan") if has else found(SLUG, "no vxlan", finding("vxlan-missing"))
