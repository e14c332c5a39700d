"""The rows of nodes, sites and epochs as the batch path works on them: read once, changed in memory, written at the end."""

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from archipel_contract.link.messages import LinkPlan
from archipel_contract.status import Health, LinkMode
from archipel_fleet.domain.contact import Heard, Pulse
from archipel_fleet.domain.sequences import Ranges
from archipel_fleet.records import LastHealth
from archipel_fleet.storage.schema import DEFAULT_CUSTOMER

MODES = {str(mode): mode for mode in LinkMode}
HEALTHS = {str(health): health for health in Health}


@dataclass(slots=True, kw_only=True)
class Summed:
    """The columns that nodes and sites share; see `schema`."""

    customer: str = DEFAULT_CUSTOMER
    site_id: str = ""
    name: str = ""
    heard: int | None = None
    touch: int | None = None
    calm: int | None = None
    owed: int | None = None
    mode: str = "unknown"
    contact: str = "never"
    contact_since: int | None = None
    health: str = "unknown"
    health_heard: int | None = None
    health_since: int | None = None
    problems: int = 0
    warnings: int = 0
    worst: str = ""
    codes: str = ""
    rehearsed: bool = False

    @property
    def pulse(self) -> Pulse:
        """What contact is judged by."""
        return Pulse(self.heard, self.touch, self.calm, self.owed)

    @pulse.setter
    def pulse(self, pulse: Pulse) -> None:
        self.heard, self.touch, self.calm, self.owed = pulse.heard, pulse.touch, pulse.calm, pulse.owed

    @property
    def last_health(self) -> LastHealth:
        """Health as last heard."""
        known = HEALTHS.get(self.health, Health.UNKNOWN)
        return LastHealth(health=known, heard=self.health_heard, since=self.health_since)


@dataclass(slots=True, kw_only=True)
class Node(Summed):
    """One row of `nodes`."""

    node_id: str
    role: str = "unknown"
    speaks: bool = True
    connected: bool = False
    connection: int = 0
    lost: int | None = None
    confirmed: int | None = None
    every: int = 0
    grace: int = 0
    hostname: str = ""
    fingerprint: str = ""
    boot: str = ""
    counter: int = 0
    shard: int = 0
    twin: str = ""
    twin_at: int | None = None
    clock: str = ""
    clock_offset: int | None = None
    waiting: int | None = None
    k3s_version: str = ""
    agent_version: str = ""
    os_name: str = ""
    model: str = ""
    architecture: str = ""
    state_hash: str = ""
    state_epoch: int = 0
    state_sequence: int = 0
    cluster_term: int = -1
    cluster_heard: int | None = None
    nodes_ready: int | None = None
    pods: int = 0
    pods_ready: int = 0
    told_epoch: int = 0
    told_sequence: int = 0
    told_at: int | None = None
    change_to: str = ""
    change_at: int | None = None

    @property
    def plan(self) -> LinkPlan:
        """When it is expected to be heard; the default until its first hello."""
        if not self.every:
            return LinkPlan(mode=LinkMode.UNKNOWN)
        return LinkPlan(mode=MODES.get(self.mode, LinkMode.UNKNOWN), every=self.every)

    @property
    def known_contact(self) -> Heard:
        """What its pulse is made of."""
        return Heard(self.plan, self.heard, bool(self.connected), self.lost, self.confirmed)


@dataclass(slots=True, kw_only=True)
class Site(Summed):
    """One row of `sites`."""

    health_rank: int = 0
    nodes: int = 0
    nodes_ready: int | None = None
    pods: int = 0
    pods_ready: int = 0
    k3s_versions: str = ""
    os_names: str = ""
    agent_versions: str = ""


@dataclass(slots=True, kw_only=True)
class Epoch:
    """One row of `received`."""

    node_id: str
    epoch: int
    customer: str
    done: Ranges = field(default_factory=Ranges)
    lost: Ranges = field(default_factory=Ranges)
    top: int = 0
    booted: int | None = None
    updated: int | None = None

    def row(self) -> tuple[Any, ...]:
        """Return the values of EPOCH_COLUMNS."""
        holes = min(self.done.holes(), self.top) if self.done.spans else 0
        return (
            self.node_id, self.epoch, self.customer, str(self.done), str(self.lost), self.top, holes,
            self.booted, self.updated,
        )  # fmt: skip


NODE_COLUMNS = tuple(one.name for one in fields(Node))
SITE_COLUMNS = tuple(one.name for one in fields(Site))
EPOCH_COLUMNS = ("node_id", "epoch", "customer", "done", "lost", "top", "holes", "booted", "updated")
node_row = attrgetter(*NODE_COLUMNS)
site_row = attrgetter(*SITE_COLUMNS)


def node_from(row: Any) -> Node:
    """Return the node of a database row."""
    return Node(**dict(zip(NODE_COLUMNS, row, strict=True)))


def site_from(row: Any) -> Site:
    """Return the site of a database row."""
    return Site(**dict(zip(SITE_COLUMNS, row, strict=True)))


def epoch_from(row: Any) -> Epoch:
    """Return the epoch of a database row of EPOCH_COLUMNS."""
    node_id, epoch, customer, done, lost, top, _, booted, updated = row
    return Epoch(
        node_id=node_id, epoch=epoch, customer=customer, done=Ranges.parse(done), lost=Ranges.parse(lost), top=top,
        booted=booted, updated=updated,
    )  # fmt: skip
