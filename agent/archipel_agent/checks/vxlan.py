"""Whether the kernel can make the tunnel pods of different nodes talk through (flannel's vxlan backend).

Ubuntu kept the module in an extra package for the Raspberry Pi from 21.10 to 23.10. Elsewhere it is in the distribution's
kernel; after an update of that kernel the modules of the one that still runs may be gone until the machine is restarted.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
UBUNTU = re.compile(r"Ubuntu (?P<year>\d+)\.(?P<month>\d+)")
SIGN = logs.Sign(
    code="vxlan-missing",
    pattern=re.compile(r"flannel exited: .*operation not supported"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the module, and what flannel said."""
    result = logs.look_for(SLUG, evidence, SIGN)
    if result.findings:
        lines = result.findings[0].evidence
        return found(SLUG, "flannel ended", logs.with_evidence(finding(_code(evidence)), *lines))
    has = evidence.modules.get("vxlan")
    if has is None and evidence.board.has_modules_of_kernel is not False:
        return undecided(SLUG, "whether the kernel has vxlan could not be determined")
    return passed(SLUG, "vxlan") if has else found(SLUG, "no vxlan", finding(_code(evidence)))


def _code(evidence: Evidence) -> str:
    """Return which way there is to the module on this system."""
    if evidence.board.has_modules_of_kernel is False:
        return "vxlan-missing-until-restart"
    release = UBUNTU.search(evidence.facts.os_name)
    if evidence.facts.raspberry_pi and evidence.facts.os_id == "ubuntu":
        known = (int(release["year"]), int(release["month"])) if release else (22, 4)
        if (21, 10) <= known <= (23, 10):
            return "vxlan-missing-ubuntu-pi"
    return "vxlan-missing"
