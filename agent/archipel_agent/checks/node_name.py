"""Whether Kubernetes accepts the name this node would get.

The name comes from what was asked for, else from the hostname. A hostname that is no valid name does not stop
us: the closest valid one is used and said. A name that was asked for is never changed.
"""

from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult
from archipel_contract.names import NameInvalid, checked_node_name, proposed_node_name

SLUG = slug_of(__name__)
PHASES = PREFLIGHT


def look(evidence: Evidence) -> CheckResult:
    """Judge the name."""
    wished = evidence.wishes.node_name
    name = wished or evidence.facts.hostname
    if not name:
        return undecided(SLUG, "the hostname could not be read")
    try:
        return passed(SLUG, checked_node_name(name))
    except NameInvalid:
        code = "node-name-invalid" if wished else "hostname-changed"
        return found(SLUG, name, finding(code, name=name, proposal=proposed_node_name(name)))
