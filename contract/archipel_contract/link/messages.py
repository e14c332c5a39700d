"""The bodies of all messages, and the table that says which type goes where.

On the wire bodies are JSON objects with these field names; what has its default may be absent. Readers skip fields they
do not know, and types only grow: an agent may come back after a year. Times are milliseconds since 1970 UTC.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from archipel_contract.audit import AuditEntries, ChainHead
from archipel_contract.commands import Command, Result, SignedDocument
from archipel_contract.facts import NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.link.epochs import Lane
from archipel_contract.link.topics import Down, Up
from archipel_contract.site import Role
from archipel_contract.status import ClusterNode, Condition, Health, K3sStatus, LinkMode, Pod
from archipel_contract.trust_document import TrustDocument

PROTOCOL = 1
DEFAULT_METRICS_EVERY = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Whether a node's (or the controller's) connection stands. Retained; also the connection's will.

    `connection` counts the connections of the sender. The will carries the number of the connection it belongs to, so that
    the will of an old connection, sent after a new one stands, is recognised and ignored.
    """

    connected: bool
    connection: int = 0
    incarnation: str = ""  # of a controller's database: see Welcome
    spread_seconds: float = (
        0.0  # of a controller: over how long returning nodes should spread their first messages
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPlan:
    """When the fleet may expect to hear from a node: at least once in `every` seconds while all is well.

    `patience` is for how many seconds it waits for the acknowledgement of samples on a connection that stands: the
    controller then acknowledges many at once, since an answer to each point costs as much as the point. 0: it wants an
    answer to each.
    """

    mode: LinkMode = LinkMode.ALWAYS_ON
    every: int = DEFAULT_METRICS_EVERY
    metrics_every: int = DEFAULT_METRICS_EVERY
    patience: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Birth: the first message of a connection, repeated until the welcome. Not sequenced.

    `epochs` are those of this start, by lane. `boot` tells runs of the machine apart (times counted by `up` compare only
    within one). `fingerprint` is a hash of what the hardware says of itself: two machines with one node id differ in it.
    """

    site_id: str = ""
    site_name: str = ""
    node_name: str = ""
    role: Role = Role.UNKNOWN
    hostname: str = ""
    fingerprint: str = ""
    boot: str = ""
    connection: int = 0
    epochs: dict[str, int] = field(default_factory=dict)  # Lane as text ("0".."3") -> epoch
    waiting: dict[str, int] = field(default_factory=dict)  # Lane as text -> messages in the outbox
    plan: LinkPlan = LinkPlan()
    agent_version: str = ""
    protocol: int = PROTOCOL
    generation: int = -1  # of the site document in force; -1 for none
    state_hash: str = ""  # of the state as it is now
    incarnation: str = ""  # of the controller this node last heard a welcome from
    rehearsed: bool = False
    nonce: str = ""  # new for each connection; what is signed in answer to it is fresh
    trust: int = 0  # version of the trust document in force; 0 for none
    counter: int = 0  # of the last command that was accepted
    desired: int = -1  # generation of the newest site document that was accepted from the fleet; -1 for none
    audit: ChainHead | None = None  # of the node's audit journal
    certificate_until: int = 0  # when the node's certificate ends
    veto: tuple[str, ...] = ()  # actions that are refused on site


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """What is, as the node sees it: the whole of it, or after a delta has been applied. Maps, so that deltas stay small.

    Samples are not here but in `Metrics`, and what changes all the time (free space, evidence of findings) is left out.
    """

    node_name: str = ""
    role: Role = Role.UNKNOWN
    site_id: str = ""
    site_name: str = ""
    generation: int = -1
    health: Health = Health.UNKNOWN
    facts: NodeFacts = NodeFacts(hostname="", architecture="")
    k3s: K3sStatus = K3sStatus()
    agent_version: str = ""
    rehearsed: bool = False
    clock: str = ""
    conditions: dict[str, Condition] = field(default_factory=dict)  # by type
    findings: dict[str, Finding] = field(
        default_factory=dict
    )  # by code, "#2" and so on added where a code repeats
    cluster_reachable: bool = False
    cluster_ready: bool = False
    cluster_message: str = ""
    nodes: dict[str, ClusterNode] = field(default_factory=dict)  # by name
    pods: dict[str, Pod] = field(default_factory=dict)  # by namespace/name
    clock_source: str = ""
    clock_ahead_seconds: int | None = (
        None  # of the fleet, coarsely; None where the node has not heard its time
    )
    certificates_until: str = ""  # when the first of k3s' own certificates on this node ends
    term: int = 0  # of the server's lease that elected the one that speaks for the cluster; 0 before there are elections


@dataclass(frozen=True, slots=True, kw_only=True)
class FullState:
    """The whole state: compact JSON of `NodeState`, and its hash (`delta.state_hash`)."""

    state: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaState:
    """What changed since the state with the hash `base`: a merge patch (RFC 7396), and the hash of the result."""

    base: str
    patch: dict[str, Any]
    hash: str


class EventKind(StrEnum):
    """What can happen."""

    FINDING_APPEARED = "finding-appeared"
    FINDING_CLEARED = "finding-cleared"
    CONDITION_CHANGED = "condition-changed"
    HEALTH_CHANGED = "health-changed"
    VERSION_CHANGED = "version-changed"  # of k3s, the agent or the operating system
    AGENT_STARTED = "agent-started"
    JOB_ENDED = "job-ended"
    LINK_LOST = "link-lost"
    LINK_BACK = "link-back"
    ORDER_REFUSED = (
        "order-refused"  # something from above was not heeded: `subject` is why, `params` how often
    )
    NOTE = "note"  # a line of text: what the agent (`subject`) did by itself, from tests of the link, from people
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened at the envelope's `at`. `subject` is the finding's code, the condition's type, the job's verb."""

    kind: EventKind
    subject: str = ""
    before: str = ""
    after: str = ""
    text: str = ""
    params: dict[str, str] = field(default_factory=dict)


class GapReason(StrEnum):
    """Why messages will never come."""

    SPACE = "space"  # the lane was full; the oldest were dropped
    RESTART = "restart"  # kept in memory only when the agent ended
    DAMAGED = "damaged"  # the outbox could not be read any more
    OVERSIZED = "oversized"  # larger than any broker lets through
    NOT_KEPT = (
        "not-kept"  # acknowledged before the controller was restored from an older copy, and not kept since
    )
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Messages that will never come: sequences `first` to `last` of `epoch` as far as they have not arrived.

    `last` 0 means: to the end of that epoch, whose last sequence the node does not know. What arrived all the same is no
    part of the gap; the reader subtracts it.
    """

    epoch: int
    first: int
    last: int = 0
    reason: GapReason = GapReason.UNKNOWN
    count: int = 0  # how many the node knows to be lost; 0 if it does not know


METRIC_NAMES = ("cpu_percent", "load_1m", "memory_used_mib", "disk_used_mib", "temperature_c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Samples: each point is seconds since `start`, then one value for each of METRIC_NAMES, null where none could be read.

    New names are added at the end; a reader takes the columns it knows. A point is the mean since the point before it.
    `state` is the hash of the state that the node had acknowledged and that still holds when this is sent; empty where that
    is not so. It renews the age of what the controller knows without saying it again.
    """

    start: int
    points: tuple[tuple[float | None, ...], ...]
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The controller's answer to a hello, after it was committed.

    `incarnation` names the life of the controller's database: it changes when one is restored from a copy. A node that
    last spoke to another incarnation offers again what it still keeps. `state_hash` is the state the controller holds of
    this node, empty for none; when it is the node's last acknowledged one, deltas go on from there.
    """

    incarnation: str
    connection: int = 0  # the hello's
    state_hash: str = ""
    nonce: str = ""  # the hello's: with it the envelope's time is one the node may believe
    trust: int = 0  # version of the controller's trust document: a newer one follows on its own channel
    audit: int = 0  # how many entries of the node's audit journal are committed; it sends what comes after


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochAck:
    """What is committed of one epoch: everything up to `upto`, and the ranges in `also` (pairs first, last)."""

    epoch: int
    upto: int = 0
    also: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The application's acknowledgement, sent after the commit: what it names may be deleted."""

    acks: tuple[EpochAck, ...]
    node: str = ""  # whom it is for; where it is signed, no other node heeds it


class Wanted(StrEnum):
    """What a controller can ask a node for."""

    HELLO = "hello"
    FULL = "full"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request of the controller that makes the node say something, never do something."""

    wanted: Wanted
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the table: a message type, its body, where it travels, how, and from which lane of the outbox.

    What is `signed` is heeded only with a signature, once devices and controller have keys: of the device from below, of a
    key of the fleet's trust document from above. An `ack` needs one where it lets go of results or events.
    """

    name: str
    body: type[Any]
    channel: Up | Down
    qos: int
    retained: bool = False
    lane: Lane | None = None  # None: never in the outbox, not sequenced
    signed: bool = False


# QoS 1 only where a lost message would cost a resend timeout; the acknowledgement that counts is `ack` in any case.
KINDS: dict[str, Kind] = {
    one.name: one
    for one in (
        Kind(name="presence", body=Presence, channel=Up.PRESENCE, qos=1, retained=True),
        Kind(name="hello", body=Hello, channel=Up.HELLO, qos=1, signed=True),
        Kind(name="full", body=FullState, channel=Up.STATE, qos=0, lane=Lane.STATE),
        Kind(name="delta", body=DeltaState, channel=Up.STATE, qos=0, lane=Lane.STATE),
        Kind(name="event", body=Event, channel=Up.EVENT, qos=1, lane=Lane.EVENT),
        Kind(name="gap", body=Gap, channel=Up.RESULT, qos=1, lane=Lane.RESULT, signed=True),
        Kind(name="result", body=Result, channel=Up.RESULT, qos=1, lane=Lane.RESULT, signed=True),
        Kind(name="audit", body=AuditEntries, channel=Up.RESULT, qos=1, lane=Lane.RESULT, signed=True),
        Kind(name="metrics", body=Metrics, channel=Up.METRIC, qos=0, lane=Lane.METRIC),
        Kind(name="welcome", body=Welcome, channel=Down.WELCOME, qos=0, signed=True),
        Kind(name="ack", body=Ack, channel=Down.ACK, qos=0),
        Kind(name="ask", body=Ask, channel=Down.ASK, qos=0),
        Kind(name="trust", body=TrustDocument, channel=Down.TRUST, qos=1, signed=True),
        Kind(name="document", body=SignedDocument, channel=Down.DOCUMENT, qos=1, signed=True),
        Kind(name="command", body=Command, channel=Down.COMMAND, qos=1, signed=True),
    )
}
TYPE_OF = {one.body: one.name for one in KINDS.values()}
