"""Whether the machine's iptables is one of the versions that fill the firewall with copies of the same rule.

k3s' documentation of known issues: 1.8.0 to 1.8.4, and 1.6.1 and older in nft mode. k3s carries a good one,
which is used where the machine has none or the site asks for it. Where a site runs with such a version, the copies that are
there already are counted.
"""

import re

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
MANY_COPIES = 20  # a table in order holds the same rule once, seldom twice
VERSION = re.compile(r"iptables v(\d+)\.(\d+)\.(\d+)(?: \((\w+)\))?")
BUNDLED = re.compile(r"^\s*prefer-bundled-bin:\s*(true|\"true\")", re.MULTILINE)


def look(evidence: Evidence) -> CheckResult:
    """Judge the version, and what it has done."""
    copies = evidence.board.rule_copies or 0
    if copies >= MANY_COPIES:
        return found(SLUG, f"one rule {copies} times", finding("iptables-copies", copies=str(copies)))
    if evidence.iptables is None:
        return undecided(SLUG, "the version of iptables could not be read")
    if not evidence.iptables.strip():
        return passed(SLUG, "none installed; k3s uses its own")
    if BUNDLED.search(evidence.k3s_drop_ins or ""):
        return passed(SLUG, "k3s uses its own, as the site asks")
    match = VERSION.search(evidence.iptables)
    if match is None:
        return undecided(SLUG, "the version of iptables could not be understood")
    said = match[0].removeprefix("iptables ")
    if copies_rules(evidence.iptables):
        return found(SLUG, said, finding("iptables-bad", version=said))
    return passed(SLUG, said)


def copies_rules(text: str) -> bool:
    """Whether the version that `iptables --version` printed writes rules again and again."""
    match = VERSION.search(text)
    if match is None:
        return False
    version = (int(match[1]), int(match[2]), int(match[3]))
    return (1, 8, 0) <= version <= (1, 8, 4) or (match[4] == "nf_tables" and version <= (1, 6, 1))
