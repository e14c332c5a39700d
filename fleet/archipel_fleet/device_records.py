"""What the fleet keeps of its devices: who may connect, with which key, by whose word; tokens; and what a request asks.

Rows for those who show them and for the rule that decides (`enrolment.rule`). No database, no clock, no words for people.
Times are milliseconds since 1970 UTC by the controller's clock. Serial numbers are hexadecimal digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from archipel_contract.trust.enrolment import EnrolmentState


class DeviceState(StrEnum):
    """What a device may do."""

    PENDING = "pending"  # it asked, and waits for a person
    ACTIVE = "active"  # it may connect and renew
    REVOKED = "revoked"  # its key must not be heeded any more
    DECOMMISSIONED = "decommissioned"  # taken out of service; may come again with a new key and a new right
    REFUSED = "refused"  # it asked, and was refused by a person


class Approval(StrEnum):
    """By what right a device came in, or asks to."""

    TOKEN = "token"
    VOUCHER = "voucher"  # a node of its site that is active vouched for it
    CLAIM = "claim"  # a person compared the code


class TokenRule(StrEnum):
    """What becomes of who shows a token."""

    APPROVE = "approve"
    HOLD = "hold"  # a person has to approve it as well


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A device of the registry, or a request to become one (`state` pending or refused; `key_id` is what it asks with)."""

    node_id: str
    state: DeviceState
    customer: str
    key_id: str = ""
    """Of the key it has, or asks with."""
    next_key_id: str = ""
    """Of the key of its newest certificate, until it has connected with it."""
    site_id: str = ""
    site_name: str = ""
    name: str = ""
    """Given by the fleet, unique among a customer's devices."""
    hostname: str = ""
    model: str = ""
    fingerprint: str = ""
    serial: str = ""
    issued: int | None = None
    not_after: int | None = None
    first_seen: int | None = None
    last_seen: int | None = None
    approval: Approval | None = None
    approved_by: str = ""
    """The account; the token or node by whose right no account was needed."""
    claim: str = ""
    """The code that a person compares, of the key it asks with."""
    token: str = ""
    """Id of the token it showed."""
    code: str = ""
    """Of the finding about this request, where there is one."""
    rehearsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenShown:
    """A token without anything of its secret."""

    id: str
    made_by: str
    made: int
    expires: int
    uses: int = 1
    left: int = 1
    rule: TokenRule = TokenRule.APPROVE
    site_id: str = ""
    """Of the site it is for; empty: any."""
    customer: str = ""
    """Whose devices it makes; empty: those of the site's customer."""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow(TokenShown):
    """A token as it is kept; its secret is known only as a digest."""

    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMade:
    """A new token. Its secret is in `link` and `token`, and is never shown again."""

    shown: TokenShown
    link: str
    token: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """A device spoke, signed with this key, as part of this site (empty: of none)."""

    node_id: str
    key_id: str
    site_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvent:
    """Something that happened to a device's right to connect. Repeated ones are counted."""

    id: int
    at: int
    node_id: str
    customer: str
    code: str
    detail: str = ""
    by: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """A certificate that was issued."""

    serial: str
    node_id: str
    key_id: str
    issued: int
    not_after: int
    pem: str
    revoked: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request as it was read: the key is proven, the voucher's signature verified; all else is the device's word."""

    node_id: str
    key_id: str
    public: str
    claim: str
    site_id: str = ""
    site_name: str = ""
    hostname: str = ""
    model: str = ""
    fingerprint: str = ""
    rehearsed: bool = False
    token_given: bool = False
    token_id: str = ""
    token_digest: str = ""
    voucher_given: bool = False
    voucher_by: str = ""
    """Node id of the device whose key signed a voucher for exactly this key and site; empty where it does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the registry knows of a request when it is decided."""

    device: DeviceRow | None = None  # with its node id
    request: DeviceRow | None = None  # of the same node id and key, from before
    token: TokenRow | None = None
    voucher: DeviceRow | None = None  # the device that vouches
    site_customer: str | None = None  # None: nobody knows the site yet
    held: int = 0  # requests that wait without a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a request."""

    state: EnrolmentState
    code: str = ""  # of the finding
    admit: bool = False  # make (or change) the device's row, active with this key
    hold: bool = False  # keep the request for a person
    spend: bool = False  # one use of its token
    customer: str = ""
    approval: Approval | None = None
    by: str = ""


Decide = Callable[[Wanted, Known], Decision]
