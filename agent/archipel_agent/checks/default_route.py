"""Whether there is a way out of this machine's own networks.

None is normal on a plant. k3s asks for a default route only to learn its address and interface, and we write
both. What is lost is everything outside: images from registries, time, the fleet.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
DEFAULT = "0.0.0.0/0"
SIGN = logs.Sign(
    code="default-route-needed",
    pattern=re.compile(
        r"no default routes? found|unable to select an IP from default routes|failed to get default interface"
    ),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the routes, and what k3s said of them."""
    result = logs.look_for(SLUG, evidence, SIGN)
    if result.findings:
        return result
    routes = evidence.facts.routes
    if not routes:
        has_address = any(nic.addresses for nic in evidence.facts.nics if nic.name != "lo")
        if not has_address:
            return undecided(SLUG, "the routes could not be read")
    default = next((route for route in routes if route.destination == DEFAULT), None)
    if default is None:
        return found(SLUG, "no default route", finding("no-default-route"))
    return passed(SLUG, f"{default.interface} {default.gateway}".strip())
