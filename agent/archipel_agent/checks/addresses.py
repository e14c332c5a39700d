"""Which of the machine's addresses can be the node's address, and which networks are in use or free.

Called by the network checks; `up` uses the same candidates, so that what a check accepts is what is written.
Pure.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archipel_contract.facts import Nic, NodeFacts
from archipel_contract.site import SiteDocument

Network = ipaddress.IPv4Network

# Links that k3s makes itself (what its k3s-killall.sh deletes); their networks are the site's.
OUR_LINKS = ("cni0", "flannel.1", "flannel-wg", "flannel-v6.1", "flannel-wg-v6", "kube-ipvs0", "veth", "lo")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Choice:
    """One address the node could have."""

    interface: str
    address: str


def is_ours(interface: str) -> bool:
    """Whether k3s made this link (or it is the loopback)."""
    return interface.startswith(OUR_LINKS)


def candidates(facts: NodeFacts, with_virtual: bool = False) -> tuple[Choice, ...]:
    """Return the usable IPv4 addresses of real interfaces that are up, of software ones too if asked.

    Where none of them has one, those count that are up and only lack their cable: a site can be made with no network
    around it. Loopback and link-local addresses (169.254.0.0/16: nobody gave this machine an address) are not usable.
    """
    linked = tuple(_choices((nic for nic in facts.nics if nic.up), with_virtual))
    return linked or tuple(_choices((nic for nic in facts.nics if nic.carrier is False), with_virtual))


def settled(
    facts: NodeFacts, site: SiteDocument | None, interface: str = "", node_ip: str = ""
) -> Choice | None:
    """Return the address the node has or would be given: what is wished for, else the site's, else the only usable one.

    None where several could be meant, or none.
    """
    wished = bool(interface or node_ip)
    if not wished and site is not None:
        return Choice(interface=site.network.interface, address=site.network.node_ip)
    fitting = [one for one in candidates(facts, with_virtual=wished) if fits(one, interface, node_ip)]
    return fitting[0] if len(fitting) == 1 else None


def fits(choice: Choice, interface: str, node_ip: str) -> bool:
    """Whether a choice is what was wished for; empty is any."""
    return interface in ("", choice.interface) and node_ip in ("", choice.address)


def _choices(nics: Iterable[Nic], with_virtual: bool) -> Iterator[Choice]:
    for nic in nics:
        if is_ours(nic.name) or (nic.virtual and not with_virtual):
            continue
        for text in nic.addresses:
            address = address_of(text)
            if address and not (address.is_loopback or address.is_link_local):
                yield Choice(interface=nic.name, address=str(address))


def address_of(text: str) -> ipaddress.IPv4Address | None:
    """Return the address in `192.168.4.27/24` or `192.168.4.27`; None if it is no IPv4 address."""
    try:
        return ipaddress.IPv4Address(text.partition("/")[0])
    except ValueError:
        return None


def network_of(text: str) -> Network | None:
    """Return the network of `192.168.4.0/24` (host bits are cut off); None if it is none."""
    try:
        return Network(text, strict=False)
    except ValueError:
        return None


def in_use(facts: NodeFacts) -> dict[Network, str]:
    """Return each network this machine is in or routes to, with its interface; default and ours left out."""
    used: dict[Network, str] = {}
    pairs = [(text, nic.name) for nic in facts.nics for text in nic.addresses]
    pairs += [(route.destination, route.interface) for route in facts.routes]
    for text, interface in pairs:
        network = network_of(text)
        if network and network.prefixlen > 0 and not is_ours(interface) and not network.is_link_local:
            used.setdefault(network, interface)
    return used


def free_pair(taken: Iterable[Network]) -> tuple[Network, Network] | None:
    """Return two private /16 networks for pods and services that overlap nothing in `taken`, or None.

    The order is fixed, so that the same machine is always given the same proposal.
    """
    busy = tuple(taken)
    pairs = [(f"10.{second}.0.0/16", f"10.{second + 1}.0.0/16") for second in range(52, 250, 10)]
    pairs += [(f"172.{second}.0.0/16", f"172.{second + 1}.0.0/16") for second in range(20, 32, 2)]
    for texts in pairs:
        pods, services = Network(texts[0]), Network(texts[1])
        if not any(pods.overlaps(one) or services.overlaps(one) for one in busy):
            return pods, services
    return None
