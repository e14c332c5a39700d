"""The trust document: what the offline root says about every key of the fleet. One statement, versioned, signed as a whole.

It travels as an envelope of the type `trust`, signed by as many root keys as the document before it demands, and by as many
of its own roots as it demands itself: so roots can be exchanged, and a device that was away for years follows the chain of
versions from the one it has. A device takes its first one from its enrolment, over a connection whose CA it was told.

    roots      keys that may sign the next version; `threshold` of them must
    keys       what each controller's and operator's key may do, and until when
    authorities  certificates (PEM) of the CAs that issue device and server certificates, newest first
    revoked    ids of keys that must not be heeded any more, whatever else is said of them
    recovery   public halves (age1...) of the fleet's recovery keys: devices seal their backups for these, too
"""

from dataclasses import dataclass
from enum import StrEnum

FOREVER = 0  # as an expiry: none
FORMAT = 1  # of the document; raised when a reader that does not know an addition must not heed the rest


class KeyRole(StrEnum):
    """Whose key it is; what it may do is said by `may`."""

    CONTROLLER = "controller"  # lies with the running controller
    OPERATOR = "operator"  # lies with a person
    UNKNOWN = "unknown"


TALK = "talk"  # welcomes and acknowledgements
DOCUMENT = "document"  # site documents
COMMAND = "command:"  # and the verb, or `*` for all
BUNDLE = "bundle"  # what machines install; a key of minisign, and for no single site: a bundle knows none


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One key below the root. Times are milliseconds since 1970 UTC."""

    public: str  # text of `keys.PublicKey`
    name: str
    role: KeyRole
    may: tuple[str, ...]  # `talk`, `document`, `command:logs`, `command:*`, `bundle`
    sites: tuple[str, ...] = ()  # site ids it is limited to; empty: all
    not_before: int = 0
    expires: int = FOREVER

    @property
    def holder(self) -> str:
        """In whose hands it lies: a person by name, and every controller as one. Capitals and spaces do not make another."""
        if self.role is KeyRole.CONTROLLER:
            return self.role.value
        return f"{KeyRole.OPERATOR.value} {' '.join(self.name.casefold().split())}"

    def permits(self, purpose: str) -> bool:
        """Whether `may` covers a purpose such as `talk` or `command:restart`."""
        return purpose in self.may or (purpose.startswith(COMMAND) and f"{COMMAND}*" in self.may)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustDocument:
    """One version of what the root says."""

    fleet_id: str  # `f-` and 16 characters; never changes
    version: int  # 1, 2, 3...
    roots: tuple[str, ...]  # texts of public keys
    threshold: int
    keys: tuple[Delegation, ...] = ()
    authorities: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    name: str = ""  # of the fleet, for people
    format: int = FORMAT
    recovery: tuple[str, ...] = ()  # age recipients; for whom sites' backups are sealed beside their owners
