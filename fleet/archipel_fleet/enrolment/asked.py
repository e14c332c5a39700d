"""Reads what a device sends to enrol: its key is proven, a voucher verified, words made printable. Called by `service`."""

import base64
import binascii
from dataclasses import dataclass
from typing import Protocol

from archipel_contract.link.envelope import EnvelopeInvalid, envelope_from, frame_from
from archipel_contract.names import NODE_ID, SITE_ID
from archipel_contract.trust import certificates
from archipel_contract.trust.certificates import CertificateInvalid
from archipel_contract.trust.enrolment import VOUCHER, VOUCHER_LONGEST, Request, Voucher
from archipel_contract.trust.keys import KeyInvalid, PublicKey, SignatureInvalid
from archipel_contract.trust.token import TokenInvalid, claim_code, token
from archipel_contract.wire import WireError, from_data
from archipel_fleet.device_records import DeviceRow, Wanted
from archipel_fleet.domain.device_names import printable

CLOCK_SLACK = 86_400_000  # by which the clock of the device that vouches may be ahead


class RequestInvalid(ValueError):
    """A request cannot be read; the message says why, for the log."""


class KnownKeys(Protocol):
    """Where a voucher's signer is looked up."""

    def key(self, key_id: str) -> tuple[DeviceRow, PublicKey] | None:
        """Return the active device with this key, and the key."""
        ...


@dataclass(frozen=True, slots=True)
class Authority:
    """What of the fleet's CA a request is measured by."""

    pins: frozenset[str]
    public_der: bytes


def read(request: Request, authority: Authority, known: KnownKeys, now: int) -> Wanted:
    """Return what a device asks for; raise RequestInvalid. Looks up the signer of a voucher."""
    if not NODE_ID.fullmatch(request.node_id):
        raise RequestInvalid("this is no node id")
    if request.site_id and not SITE_ID.fullmatch(request.site_id):
        raise RequestInvalid("this is no site id")
    try:
        public, key = certificates.requested_key(request.csr.encode("ascii", "replace"))
    except CertificateInvalid as error:
        raise RequestInvalid(str(error)) from error
    token_id, digest = _token(request.token, authority.pins)
    return Wanted(
        node_id=request.node_id,
        key_id=public.key_id,
        public=str(public),
        claim=claim_code(certificates.key_der(key), authority.public_der),
        site_id=request.site_id,
        site_name=printable(request.site_name),
        hostname=printable(request.hostname),
        model=printable(request.model, 100),
        fingerprint=printable(request.fingerprint, 100),
        rehearsed=request.rehearsed,
        token_given=bool(request.token),
        token_id=token_id,
        token_digest=digest,
        voucher_given=bool(request.voucher),
        voucher_by=_vouched(request, public.key_id, known, now) if request.voucher else "",
    )


def _token(text: str, pins: frozenset[str]) -> tuple[str, str]:
    """Return id and digest of a token of this fleet; empty for what is none."""
    if not text:
        return "", ""
    try:
        found = token(text)
    except TokenInvalid:
        return "", ""
    return (found.id, found.digest) if found.pin in pins else ("", "")


def _vouched(request: Request, key_id: str, known: KnownKeys, now: int) -> str:
    """Return the node id of who vouches for this key; empty where the voucher does not hold."""
    try:
        frame = frame_from(base64.b64decode(request.voucher, validate=True))
        if len(frame.signatures) != 1:
            return ""
        signature = frame.signatures[0]
        signer = known.key(signature.key_id)
        if signer is None:
            return ""
        signer[1].verify(frame.payload, signature.value)
        envelope = envelope_from(frame.payload)
        said = from_data(Voucher, envelope.body)
    except (binascii.Error, EnvelopeInvalid, SignatureInvalid, KeyInvalid, WireError):
        return ""
    in_time = said.issued - CLOCK_SLACK <= now < said.expires <= said.issued + VOUCHER_LONGEST
    fits = said.key_id == key_id and said.site_id == request.site_id == signer[0].site_id
    return signer[0].node_id if envelope.type == VOUCHER and in_time and fits and said.site_id else ""
