"""The rules of the firewall as nftables reads them, made from what is declared. Pure.

One chain decides, before addresses are rewritten, about what arrives from outside for this machine; so a port that k3s leads
to a pod (NodePort, LoadBalancer) needs its opening like any other. Nothing of k3s' own rules is touched, and what pods say
to one another or to the world is not looked at: that is what network policies are for.

Until they are confirmed the rules count only while the set `armed` has elements, and the kernel itself removes these after
the time given. So nobody is locked out for longer, whatever becomes of the agent, of the link, or of the person.
"""

from collections.abc import Sequence

from archipel_agent.firewall.declared import Opening
from archipel_agent.firewall.standing import ARMED, TABLE

CONFIRM_SECONDS = 60  # long enough to open a second connection and look, short enough to wait out

# Where pods are: the bridge and tunnels of flannel (its backends vxlan, wireguard-native, host-gw), and each pod's cable.
INSIDE = ("lo", "cni0", "flannel.1", "flannel-wg", "flannel-wg-v6", "flannel-v6.1", "kube-bridge")
INSIDE_PATTERNS = ("veth*",)

# Before connection tracking's answer is rewritten by kube-proxy (nat, -100), after it has one (-200): nf_ip_prio in Linux.
PRIORITY = "mangle - 10"

REMOVE = f"table inet {TABLE}\ndelete table inet {TABLE}\n"


def ruleset(openings: Sequence[Opening], networks: Sequence[str], seconds: int = 0) -> str:
    """Return what `nft -f` loads in one piece in place of what was there.

    `networks` are those of pods and services, which nobody outside may address. With `seconds` the rules end by themselves
    after that time; with 0 they stay.
    """
    timeout = f" timeout {seconds}s" if seconds else ""
    lines = [
        "# Written by Archipel from firewall.conf; `archipel firewall on` writes it again.",
        REMOVE.rstrip(),
        f"table inet {TABLE} {{",
        "  counter refused { }",
        f"  set {ARMED} {{ typeof meta nfproto; flags timeout; elements = {{ ipv4{timeout}, ipv6{timeout} }}; }}",
        "  chain arrivals {",
        f"    type filter hook prerouting priority {PRIORITY}; policy accept;",
        f"    iifname {{ {', '.join(_quoted(name) for name in INSIDE)} }} accept",
        *(f"    iifname {_quoted(pattern)} accept" for pattern in INSIDE_PATTERNS),
        "    ct state established,related accept",
        # Only the first packet of a TCP connection asks to come in. Connections from before the first rules are unknown to
        # the kernel's tracking, and one of them is the technician's.
        "    tcp flags & (syn | ack) != syn accept",
        f"    meta nfproto @{ARMED} goto door",
        "  }",
        "  chain door {",
        "    meta l4proto { icmp, ipv6-icmp } accept",
        "    udp dport { 68, 546 } accept",  # answers of DHCP, which come before there is an address
        *(f"    {_family(one)} daddr {one} counter name refused drop" for one in networks),
        "    fib daddr type != local accept",
        *(line for one in openings for line in _lines(one)),
        "    counter name refused drop",
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _family(network: str) -> str:
    return "ip6" if ":" in network else "ip"


def _lines(one: Opening) -> list[str]:
    ports = f"{one.protocol} dport {one.ports}"
    if not one.sources:
        return [f"    {ports} accept"]
    return [f"    {ports} {_family(source)} saddr {source} accept" for source in one.sources]
