"""Whether the machine's iptables is one of the versions that fill the firewall with copies of the same rule.

k3s' documentation of known issues: 1.8.0 to 1.8.4, and 1.6.1 and older in nft mode. k3s carries a good one,
which is used where the machine has none or the site asks for it.
"""

import re

from archipel_agent.checks.base import PREFLIGHT, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = PREFLIGHT
VERSION = re.compile(r"iptables v(\d+)\.(\d+)\.(\d+)(?: \((\w+)\))?")
BUNDLED = re.compile(r"^\s*prefer-bundled-bin:\s*(true|\"true\")", re.MULTILINE)


def look(evidence: Evidence) -> CheckResult:
    """Judge the version."""
    if evidence.iptables is None:
        return undecided(SLUG, "the version of iptables could not be read")
    if not evidence.iptables.strip():
        return passed(SLUG, "none installed; k3s uses its own")
    if BUNDLED.search(evidence.k3s_drop_ins or ""):
        return passed(SLUG, "k3s uses its own, as the site asks")
    match = VERSION.search(evidence.iptables)
    if match is None:
        return undecided(SLUG, "the version of iptables could not be understood")
    version = (int(match[1]), int(match[2]), int(match[3]))
    said = match[0].removeprefix("iptables ")
    if is_bad(version, match[4] == "nf_tables"):
        return found(SLUG, said, finding("iptables-bad", version=said))
    return passed(SLUG, said)


def is_bad(version: tuple[int, int, int], nft: bool) -> bool:
    """Whether this version writes rules again and again."""
    return (1, 8, 0) <= version <= (1, 8, 4) or (nft and version <= (1, 6, 1))
