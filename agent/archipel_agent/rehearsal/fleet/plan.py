"""Which sites a rehearsal has: names, identities and machines, all from one seed. Pure.

Every name begins with `rehearsed-`, so that nobody takes one for a site of a customer; machines and versions differ from
site to site as in a real fleet.
"""

import hashlib
from dataclasses import dataclass, replace

from archipel_agent.rehearsal.scenario import raspberry_pi
from archipel_contract.facts import DiskSpace, Nic, NodeFacts, Route
from archipel_contract.names import new_node_id

NAME = "rehearsed-{number:03d}"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NODES_LIMIT = len(LETTERS)
SITES_LIMIT = 9999
NODES_PER_PROCESS = 100
GIB = 1 << 30
AGE_DAYS = (2, 90)  # of a site at the start of the rehearsal

VERSIONS = ("v1.36.3+k3s1", "v1.36.3+k3s1", "v1.36.1+k3s1", "v1.35.6+k3s1")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One machine."""

    name: str
    node_id: str
    address: str
    facts: NodeFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """One site: `seed` is its own, from which everything random about it comes."""

    number: int
    name: str
    seed: str
    k3s_version: str
    age_seconds: float
    nodes: tuple[NodePlan, ...]


def noise(*words: object) -> bytes:
    """Return 32 bytes that look random and are the same for the same words."""
    return hashlib.sha256("\0".join(map(str, words)).encode()).digest()


def share(*words: object) -> float:
    """Return a number from 0 up to 1 that looks random and is the same for the same words."""
    return int.from_bytes(noise(*words)[:6], "big") / (1 << 48)


def site(seed: int, number: int, nodes: int) -> SitePlan:
    """Return site `number` (1 is the first) of `nodes` machines."""
    name = NAME.format(number=number)
    own = f"{seed}/{name}"
    pattern = _machine(int(share(own, "machine") * len(MACHINES)))
    least, most = AGE_DAYS
    return SitePlan(
        number=number,
        name=name,
        seed=own,
        k3s_version=VERSIONS[int(share(own, "k3s") * len(VERSIONS))],
        age_seconds=86400.0 * (least + (most - least) * share(own, "age")),
        nodes=tuple(_node(own, name, number, position, pattern) for position in range(nodes)),
    )


def shares(sites: int, nodes: int) -> tuple[tuple[int, int], ...]:
    """Return which sites (first, last) each process plays: whole sites, at most a hundred nodes where that can be."""
    each = max(1, NODES_PER_PROCESS // nodes)
    processes = -(-sites // each)
    even = -(-sites // processes)
    return tuple((first, min(first + even - 1, sites)) for first in range(1, sites + 1, even))


def _node(seed: str, site_name: str, number: int, position: int, pattern: NodeFacts) -> NodePlan:
    name = f"{site_name}-{LETTERS[position]}"
    random = noise(seed, name)
    # 10.0.0.0/8 less k3s' own networks (10.42, 10.43): one /24 for each site, as behind the routers of small plants.
    address = f"10.{64 + number // 250}.{number % 250 + 1}.{11 + position}"
    gateway = f"{address.rpartition('.')[0]}.1"
    nic = pattern.nics[0]
    mac = "02:" + ":".join(f"{byte:02x}" for byte in random[:5])  # locally administered: no maker's
    wired = replace(nic, mac=mac, addresses=(f"{address}/24",))
    facts = replace(
        pattern,
        hostname=name,
        serial=f"rehearsed{random[5:10].hex()}",
        nics=(wired,),
        routes=(
            Route(destination="0.0.0.0/0", interface=nic.name, gateway=gateway),
            Route(destination=f"{gateway.rpartition('.')[0]}.0/24", interface=nic.name),
        ),
    )
    node_id = new_node_id(lambda count: noise(seed, name, "node id")[:count])
    return NodePlan(name=name, node_id=node_id, address=address, facts=facts)


def _machine(kind: int) -> NodeFacts:
    return replace(raspberry_pi(), **MACHINES[kind])  # type: ignore[arg-type]  # the table's keys are NodeFacts' own


_PC = {
    "architecture": "x86_64",
    "kernel": "6.8.0-88-generic",
    "os_id": "ubuntu",
    "os_name": "Ubuntu 24.04.3 LTS",
    "model": "Standard PC (Q35 + ICH9, 2009)",
    "memory_bytes": 8 * GIB,
    "has_rtc": True,
    "raspberry_pi": False,
    "disks": (
        DiskSpace(path="/", device="/dev/nvme0n1p2", kind="nvme", filesystem="ext4", size_bytes=120 * GIB),
    ),
    "nics": (Nic(name="enp1s0", up=True, carrier=True, speed_mbit=1000),),
}
_TRIXIE = {"os_name": "Debian GNU/Linux 13 (trixie)", "kernel": "6.12.57+rpt-rpi-2712"}
MACHINES: tuple[dict[str, object], ...] = (
    {},
    {},
    {**_TRIXIE, "model": "Raspberry Pi 5 Model B Rev 1.0", "memory_bytes": 8 * GIB},
    {**_TRIXIE, "model": "Raspberry Pi Compute Module 5 Rev 1.0", "memory_bytes": 4 * GIB},
    _PC,
)
