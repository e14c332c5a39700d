"""What device and controller say to each other over HTTPS to enrol and to renew: JSON bodies, and their paths.

    POST /v1/enrol    Request -> Answer, without a client certificate. `pending`: ask again with the same key.
    POST /v1/renew    Renewal -> Answer, with the client certificate, which may have expired.
    GET  /v1/trust    -> Answer with trust document and CAs only, without a client certificate.

The device has checked the CA against the pin of its token (or shows a claim code over key and CA). The controller takes
nothing from the certificate request but its key: node id and names are in the body, and it decides about them.
"""

from dataclasses import dataclass
from enum import StrEnum

ENROL = "/v1/enrol"
RENEW = "/v1/renew"
TRUST = "/v1/trust"
BODY_LIMIT = 64 << 10  # bytes of a request
ANSWER_LIMIT = 1 << 20
VOUCHER = "voucher"  # type of the envelope
VOUCHER_LONGEST = 7 * 86_400_000  # milliseconds for which a voucher may hold


class EnrolmentState(StrEnum):
    """What became of a request."""

    ISSUED = "issued"
    PENDING = "pending"  # a person has to approve it
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A device asks for its first certificate, or (with a new token) for a new one."""

    csr: str  # PKCS#10, PEM
    node_id: str
    token: str = ""  # as typed, whole; empty: by claim code
    site_id: str = ""
    site_name: str = ""
    hostname: str = ""
    model: str = ""
    fingerprint: str = ""
    voucher: str = ""  # base64 of a signed Voucher's frame: a later node of an approved site
    rehearsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """A node that has a certificate vouches for the key of another node of its site. Envelope type `voucher`."""

    site_id: str
    key_id: str  # of the new node's key
    issued: int  # milliseconds since 1970 UTC
    expires: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A device asks for its next certificate, over a connection made with the present one."""

    csr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the controller says. `at` is its time in milliseconds since 1970 UTC, which a device with a poor clock takes."""

    state: EnrolmentState
    at: int
    code: str = ""  # of the finding, where it was refused
    text: str = ""
    claim: str = ""  # the code that a person compares, while pending
    retry_seconds: int = 30
    certificate: str = ""  # PEM
    authorities: tuple[str, ...] = ()  # PEM
    trust: str = ""  # base64 of the trust document's frame
    brokers: tuple[str, ...] = ()  # in the order in which to try them
    display_name: str = ""
    fleet_name: str = ""
