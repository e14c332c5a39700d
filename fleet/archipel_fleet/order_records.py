"""What the fleet keeps of its orders and of who did what: rows for those who show them. No database, no clock, no words.

Times are milliseconds since 1970 UTC by the controller's clock unless their name says `device`. Like every row of the fleet
these belong to a customer, and whoever asks gives a Scope.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from archipel_contract.commands import Action, Outcome

RESULT_LIMIT = 8 << 20  # bytes of a result; a device cuts at the same size


class OrderState(StrEnum):
    """How far an order has come."""

    WAITING = "waiting"  # for the second signature
    QUEUED = "queued"  # signed, not sent yet
    SENT = "sent"  # handed to the broker at least once; again at every contact
    RUNNING = "running"  # the node has accepted it, or has begun to send its result
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"  # by the node
    EXPIRED = "expired"  # the node was not there in time
    CANCELLED = "cancelled"


OPEN = (OrderState.WAITING, OrderState.QUEUED, OrderState.SENT, OrderState.RUNNING)
SENDABLE = (OrderState.QUEUED, OrderState.SENT, OrderState.RUNNING)
CANCELLABLE = (OrderState.WAITING, OrderState.QUEUED, OrderState.SENT)
STATE_OF = {
    Outcome.DONE: OrderState.DONE,
    Outcome.FAILED: OrderState.FAILED,
    Outcome.REFUSED: OrderState.REFUSED,
    Outcome.INTERRUPTED: OrderState.FAILED,
    Outcome.UNKNOWN: OrderState.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order to one node."""

    id: str
    node_id: str
    node_name: str = ""
    site_id: str = ""
    customer: str = ""
    action: Action = Action.UNKNOWN
    arguments: dict[str, Any] = field(default_factory=dict)
    state: OrderState = OrderState.QUEUED
    counter: int = 0
    asked_by: str = ""
    signed_by: str = ""
    """The account that brought the second signature."""
    issued: int = 0
    expires: int = 0
    sent: int | None = None
    """When it was handed to the broker last."""
    sends: int = 0
    ended: int | None = None
    outcome: Outcome | None = None
    code: str = ""
    """Of the finding, where it was refused or failed."""
    text: str = ""
    media: str = ""
    name: str = ""
    size: int = 0
    """Bytes of the result."""
    pieces: int = 0
    have: int = 0
    """Pieces of the result that are here."""
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What came of an order."""

    media: str
    name: str
    data: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A node an order may go to, and what its last hello said that matters to orders."""

    node_id: str
    name: str
    site_id: str
    customer: str
    is_server: bool = False
    connected: bool = False
    veto: tuple[str, ...] = ()
    identified: bool = False
    """Whether it has ever spoken with an identity: else it heeds no orders."""
    ended: str = ""
    """`revoked` or `decommissioned`, where its key is not heeded any more: then no order reaches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A signed order to be sent now. `frame` are the exact bytes of a frame."""

    id: str
    counter: int
    frame: bytes
    renumbered: bool = False
    """Never sent, and the node has accepted a higher counter: it must be signed anew with `counter`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One node that is connected, and what is to be said to it."""

    node_id: str
    shard: int
    site_id: str
    nonce: str
    clock_is_sure: bool
    trust: int
    """Version of the trust document it has."""
    orders: tuple[Waiting, ...] = ()
    document: bytes = b""
    """The newest site document it does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something somebody did at the fleet, to be written down. Without a customer it is shown to those who see all."""

    actor: str  # `fleet:<account>`, or `controller`
    action: str
    outcome: str = ""
    detail: str = ""
    params: dict[str, str] = field(default_factory=dict)
    customer: str | None = None
    site_id: str = ""
    node_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedRow:
    """One line of who did what, from a device's journal or from the fleet's own."""

    number: int
    at: int
    """By the clock of whoever wrote it down."""
    sure: bool
    """Whether that clock could be trusted."""
    received: int
    actor: str
    action: str
    outcome: str = ""
    detail: str = ""
    params: dict[str, str] = field(default_factory=dict)
    node_id: str = ""
    node_name: str = ""
    site_id: str = ""
    site_name: str = ""
    by_device: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What checking one audit journal came to."""

    name: str  # `fleet`, or a node id
    entries: int
    hash: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """One site document of the fleet."""

    site_id: str
    generation: int
    asked_by: str
    issued: int


def needs_nonce(due: Due) -> bool:
    """Whether the node believes an order only if it answers its hello."""
    return not due.clock_is_sure and bool(due.nonce)
