"""Whether the node still has the address and the interface the site was made with.

k3s binds to the address in its settings; when it is gone, pods and services lose each other. The
choice is kept for as long as the site exists, so the way back is to give the machine its address again.
"""

from archipel_agent.checks.addresses import address_of, candidates
from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.facts import Nic
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = RUNTIME


def look(evidence: Evidence) -> CheckResult:
    """Compare the site's network with the machine's."""
    if evidence.site is None:
        return undecided(SLUG, "no site is set up here")
    nics = {nic.name: nic for nic in evidence.facts.nics}
    if not nics:
        return undecided(SLUG, "the network interfaces could not be read")
    address, interface = evidence.site.network.node_ip, evidence.site.network.interface
    others = ", ".join(f"{one.interface} {one.address}" for one in candidates(evidence.facts)) or "-"
    shown = {"address": address, "interface": interface, "present": others}
    nic = nics.get(interface)
    if nic is None:
        return found(SLUG, f"no {interface}", finding("interface-gone", (), None, **shown))
    if not _has(nic, address):
        return found(SLUG, f"{interface} lacks {address}", finding("address-gone", (), None, **shown))
    if not nic.up or nic.carrier is False:
        return found(SLUG, f"{interface} has no link", finding("cable-out", (), None, **shown))
    return passed(SLUG, f"{interface} {address}")


def _has(nic: Nic, address: str) -> bool:
    return any(str(address_of(text)) == address for text in nic.addresses)
