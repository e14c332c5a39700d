"""Whether the networks of pods and services are free of the networks this machine is in or routes to.

k3s takes 10.42.0.0/16 and 10.43.0.0/16 unless told otherwise. Where a plant uses them, pods cannot reach the
plant. Both are fixed once the site exists, so the time to choose is before.
"""

import ipaddress

from archipel_agent.checks import logs
from archipel_agent.checks.addresses import free_pair, in_use, network_of
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding
from archipel_contract.site import Network

SLUG = slug_of(__name__)
PHASES = BOTH
STANDARD = Network(node_ip="", interface="")


def look(evidence: Evidence) -> CheckResult:
    """Compare pods' and services' networks with each other and with those in use."""
    texts = wanted(evidence)
    networks = [network_of(text) for text in texts]
    if None in networks:
        wrong = next(text for text, network in zip(texts, networks, strict=True) if network is None)
        return found(SLUG, wrong, finding("network-invalid", network=logs.short(wrong)))
    pods, services = [network for network in networks if network is not None]
    used = in_use(evidence.facts)
    said = f"pods {pods}, services {services}"
    if pods.overlaps(services):
        return found(
            SLUG,
            said,
            finding("network-clash", pods=str(pods), services=str(services), command=_command(used)),
        )
    hits = {other: name for other, name in used.items() if other.overlaps(pods) or other.overlaps(services)}
    if hits:
        return found(SLUG, said, _overlap(evidence, hits, used, said))
    if not used:
        return undecided(SLUG, "the networks of this machine could not be read")
    return passed(SLUG, f"{said}; in use: {' '.join(map(str, used))}")


def wanted(evidence: Evidence) -> tuple[str, str]:
    """Return the networks of pods and services: the site's, else the wished ones, else k3s' own."""
    network = evidence.site.network if evidence.site else STANDARD
    wishes = evidence.wishes
    return wishes.cluster_cidr or network.cluster_cidr, wishes.service_cidr or network.service_cidr


def _overlap(
    evidence: Evidence,
    hits: dict[ipaddress.IPv4Network, str],
    used: dict[ipaddress.IPv4Network, str],
    said: str,
) -> Finding:
    shown = ", ".join(f"{network} ({name})" for network, name in hits.items())
    if evidence.site is not None:
        one = finding("network-overlap-late", used=shown, networks=said)
    else:
        one = finding("network-overlap", used=shown, networks=said, command=_command(used))
    return logs.with_evidence(one, *(f"{name}: {network}" for network, name in hits.items()))


def _command(used: dict[ipaddress.IPv4Network, str]) -> str:
    pair = free_pair(used)
    pods, services = (str(pair[0]), str(pair[1])) if pair else ("A.B.0.0/16", "C.D.0.0/16")
    return f"sudo archipel up --cluster-cidr {pods} --service-cidr {services}"
