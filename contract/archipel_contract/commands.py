"""What the fleet can order a node to do, and what comes of it: commands, results, signed site documents.

Shapes only; by which rule a device heeds an order is said in `trust.orders`. Times are milliseconds since 1970 UTC.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What a command can make a device do."""

    LOGS = "logs"
    DOCTOR = "doctor"
    SUPPORT = "support"
    RESTART = "restart"  # of k3s; workloads go on
    KUBECTL = "kubectl"  # get, describe, logs
    DECOMMISSION = "decommission"  # forget the fleet: keys are wiped, the cluster lives on
    RESET = "reset"  # of a later version; named here because two signatures guard it
    RESTORE = "restore"
    UNKNOWN = "unknown"


# Dangerous: what cannot be taken back needs two people, or a person and the controller, unless the site says otherwise.
SIGNATURES = {Action.DECOMMISSION: 2, Action.RESET: 2, Action.RESTORE: 2}
KUBECTL_VERBS = ("get", "describe", "logs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command for one node. Times are milliseconds since 1970 UTC by the fleet's clock."""

    id: str  # `c-` and 16 characters
    node: str
    counter: int  # grows with every command for this node
    issued: int
    expires: int
    action: Action
    arguments: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""  # of the hello this answers; proves freshness to a device whose clock is not sure
    asked_by: str = ""  # account at the fleet, for the audit journal


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A site document from the fleet: a site (not a node) is its audience, its generation only grows."""

    site_id: str
    generation: int
    document: dict[str, Any]  # compact JSON of `site.SiteDocument`
    issued: int = 0
    force: bool = False  # an older generation on purpose: accepted with two signatures


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"  # it was authentic, but must not be done: vetoed on site, expired, not known here
    INTERRUPTED = "interrupted"  # power went while it ran; it is not run a second time
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a command, in pieces: `piece` 0.. of `pieces`; together they are `size` bytes with the SHA-256 `digest`.

    `data` is base64. The outcome is in every piece. A result larger than the cap is cut, and `cut` says so.
    """

    command: str
    outcome: Outcome
    code: str = ""  # of the finding, where it was refused or failed
    text: str = ""  # one line for people
    media: str = "text/plain"
    name: str = ""  # of a file
    piece: int = 0
    pieces: int = 1
    size: int = 0
    digest: str = ""
    cut: bool = False
    data: str = ""
