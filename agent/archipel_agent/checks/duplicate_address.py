"""Whether another machine has this node's address. Connections then reach now the one and now the other.

The local network is asked only when a person asks (`archipel doctor`) or `up` is about to begin: for IPv4 as RFC 5227
says. For IPv6 the kernel asked when it took the address, and does not use one that somebody else answered to.
"""

from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge who answered."""
    seen, sixth = evidence.address, _sixth(evidence)
    if seen is None or seen.problem:
        why = (
            seen.problem
            if seen is not None
            else "the network is asked by archipel doctor and archipel up only"
        )
        return found(SLUG, f"not asked for IPv4; {why}", *sixth) if sixth else undecided(SLUG, why)
    findings = list(sixth)
    if seen.others:
        macs = ", ".join(seen.others)
        line = f"{macs} answered on {seen.interface} to the question who has {seen.address}"
        shown = {"address": seen.address, "interface": seen.interface, "other": macs}
        findings.insert(0, finding("address-duplicate", (line,), None, **shown))
    if findings:
        return found(SLUG, "; ".join(one.summary for one in findings), *findings)
    about_six = "IPv6: not known" if evidence.twice6 is None else "IPv6: none, as the kernel says"
    return passed(SLUG, f"nobody else has {seen.address} on {seen.interface}; {about_six}")


def _sixth(evidence: Evidence) -> tuple[Finding, ...]:
    return tuple(
        finding("address6-duplicate", (f"dadfailed: {one}",), address=one) for one in evidence.twice6 or ()
    )
