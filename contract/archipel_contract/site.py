"""The site document: what a site should be.

`archipel up` writes generation 0 with origin `local`. Later generations come signed from the fleet; `generation` only
ever grows. The document holds no secret: tokens and keys stay in their own files.
"""

from dataclasses import dataclass
from enum import StrEnum

COMPONENTS = ("coredns", "local-storage", "metrics-server", "servicelb", "traefik")  # `disable` values of k3s
# Least functionality: what listens on ports 80 and 443 of the plant's network is the site's choice, not ours.
DEFAULT_COMPONENTS = ("coredns", "local-storage", "metrics-server")


class Origin(StrEnum):
    """Who wrote a document."""

    LOCAL = "local"
    FLEET = "fleet"


class Desired(StrEnum):
    """Whether the site's k3s should run."""

    RUNNING = "running"
    STOPPED = "stopped"  # after `archipel down`, until the next `archipel up`


class Hardening(StrEnum):
    """How far a site is hardened; what each means stands in docs/hardening.md."""

    STANDARD = "standard"  # common charts run
    STRICT = "strict"  # pods must meet `restricted`, and namespaces k3s makes are closed to one another


class Role(StrEnum):
    """The part a node plays, in k3s' own words."""

    SERVER = "server"
    AGENT = "agent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Addresses chosen for the site; never derived from a route or a hostname at run time."""

    node_ip: str
    interface: str
    cluster_cidr: str = "10.42.0.0/16"
    service_cidr: str = "10.43.0.0/16"


@dataclass(frozen=True, slots=True, kw_only=True)
class K3sBinary:
    """The k3s the site runs: where it stands, what it said of itself, and its digest at installation."""

    path: str
    version: str
    sha256: str
    installed_by_us: bool = False  # only what we installed is removed with us


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node of the site."""

    node_id: str
    node_name: str
    role: Role = Role.SERVER


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDocument:
    """What a site should be."""

    site_id: str
    generation: int
    origin: Origin
    name: str
    network: Network
    k3s: K3sBinary
    nodes: tuple[NodeSpec, ...]
    components: tuple[str, ...] = DEFAULT_COMPONENTS
    desired: Desired = Desired.RUNNING
    schema: int = 1
    adopted: bool = (
        False  # k3s, its unit and its settings were here before us: they are looked at, never written
    )
    hardening: Hardening = Hardening.STANDARD
