"""A report as a file: its exact text, the public half of the key that signed it, and the signature.

Signed with the device's key where the machine is enrolled, whose certificate then comes along; else with a key made for this
one report, which proves that the text was not altered afterwards, and not by whom it was made. A certificate proves no more
unless it is held to the fleet's CA: anybody can make one with any name.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from archipel_agent.acceptance.figures import Report
from archipel_agent.paths import IdentityPaths
from archipel_agent.ports import Files
from archipel_contract import wire
from archipel_contract.trust import certificates
from archipel_contract.trust.keys import (
    KeyInvalid,
    SignatureInvalid,
    SoftwareSigner,
    device_key_from_pem,
    new_device_key,
    public_key,
)
from archipel_contract.wire import WireError

FORMAT = "archipel-acceptance-1"
LIMIT = 1 << 20  # bytes of a file we are ready to read


class ReportInvalid(ValueError):
    """A file is no report of ours, or was altered; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What the file holds."""

    format: str
    payload: str  # the report as JSON, to the byte as it was signed
    key: str
    signature: str
    certificate: str = ""  # of the device, where its key has signed

    @property
    def is_of_a_device(self) -> bool:
        """Whether a device's own key has signed it."""
        return bool(self.certificate)


def sign(report: Report, disk: Files, identity: IdentityPaths) -> bytes:
    """Return the file: signed by the device where it is enrolled, else by a key made for it."""
    certificate = ""
    if disk.exists(identity.key) and disk.exists(identity.certificate) and not disk.exists(identity.left):
        signer = SoftwareSigner(device_key_from_pem(disk.read(identity.key)))
        certificate = disk.read(identity.certificate).decode()
    else:
        signer = SoftwareSigner(new_device_key())
    payload = wire.to_json(report)
    made = Signed(
        format=FORMAT,
        payload=payload.decode(),
        key=str(signer.public),
        signature=base64.b64encode(signer.sign(payload)).decode(),
        certificate=certificate,
    )
    return json.dumps(wire.to_data(made), indent=1).encode() + b"\n"


def verify(data: bytes) -> tuple[Report, Signed]:
    """Return the report and who signed it; raise ReportInvalid when the signature is not one over exactly this text."""
    if len(data) > LIMIT:
        raise ReportInvalid("the file is too large for a report")
    try:
        found = wire.from_json(Signed, data)
        if found.format != FORMAT:
            raise ReportInvalid(f"the format {found.format[:40]!r} is not {FORMAT}")
        key = public_key(found.key)
        key.verify(found.payload.encode(), base64.b64decode(found.signature, validate=True))
        if found.certificate and str(certificates.read(found.certificate.encode()).public) != found.key:
            raise ReportInvalid("the certificate is that of another key")
        return wire.from_json(Report, found.payload), found
    except SignatureInvalid as error:
        raise ReportInvalid(f"it was altered, or not signed by this key: {error}") from error
    except (WireError, KeyInvalid, binascii.Error, certificates.CertificateInvalid, UnicodeError) as error:
        raise ReportInvalid(f"it is no acceptance report: {error}") from error


def who(signed: Signed, authorities: bytes = b"") -> str:
    """Return in one line who has signed; raise ReportInvalid when that is no device of the fleet with these CAs (PEM).

    Without any the name of a device is only what its certificate claims, and is told as that.
    """
    key_id = public_key(signed.key).key_id
    if not signed.is_of_a_device:
        return f"a key made for this report ({key_id})"
    name = certificates.read(signed.certificate.encode()).name
    if not authorities:
        return (
            f"a device that calls itself {name} ({key_id}); whether its fleet calls it so was not looked at"
        )
    try:
        is_known = certificates.is_of(signed.certificate.encode(), authorities)
    except certificates.CertificateInvalid as error:
        raise ReportInvalid(f"the CA it should be held to cannot be used: {error}") from error
    if not is_known:
        raise ReportInvalid(
            f"it calls itself a report of {name}, but no CA of this fleet gave that certificate"
        )
    return f"the device {name} ({key_id})"


def authorities_here(disk: Files, identity: IdentityPaths) -> bytes:
    """Return the CAs of the fleet this machine belongs to; nothing without one, or where we may not look."""
    try:
        return disk.read(identity.authorities)
    except OSError:
        return b""
