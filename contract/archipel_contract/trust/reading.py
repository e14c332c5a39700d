"""What a certificate says, read without the library: a device looks at its own for years, and `cryptography.x509` alone
would hold more than a megabyte of its memory all the while.

Nothing is verified here: it is for certificates that are trusted already, because they lie in our own files. Where
certificates of others are judged, issued or asked for, `certificates` is the place. Both read the same (a test holds them
to it).
"""

import base64
import textwrap
from dataclasses import dataclass
from datetime import datetime

from archipel_contract import der
from archipel_contract.trust.keys import P256, PublicKey

COMMON_NAME = bytes.fromhex("550403")  # 2.5.4.3 (RFC 5280, appendix A.1)
# AlgorithmIdentifier of a key on P-256: ecPublicKey with the curve's name prime256v1 (RFC 5480, 2.1.1).
P256_KEY = bytes.fromhex("06072a8648ce3d020106082a8648ce3d030107")
WHOLE_POINT, POINT_BYTES = 4, 65  # SEC 1, 2.3.3: a point without compression is 04, x and y
PEM_COLUMNS = 64


class CertificateInvalid(ValueError):
    """A text is no certificate or request we can use; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says. Times are UTC."""

    name: str  # common name: a node id, or a server's first name
    serial: int
    public: PublicKey
    not_before: datetime
    not_after: datetime
    pem: bytes

    @property
    def half_life(self) -> datetime:
        """From when on it should be renewed."""
        return self.not_before + (self.not_after - self.not_before) / 2


def read(pem: bytes) -> Certificate:
    """Return what a certificate in PEM, with a key on P-256, says; raise CertificateInvalid."""
    try:
        whole = der.from_pem(pem)
        signed, at = der.inside(whole)
        # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo (RFC 5280, 4.1)
        (_, serial), _, _, (_, dates), (_, subject), (_, key) = der.elements(signed[at:])[:6]
        return Certificate(
            name=_common_name(subject),
            serial=int.from_bytes(serial, "big", signed=True),
            public=_public(key),
            not_before=der.time(dates, 0),
            not_after=der.time(dates, der.after(dates, 0)),
            pem=_pem(whole),
        )
    except (ValueError, IndexError) as error:
        raise CertificateInvalid(f"this is no certificate we can use: {error}") from None


def _common_name(subject: bytes) -> str:
    for _, names in der.elements(subject):
        for _, pair in der.elements(names):
            (_, kind), (_, value) = der.elements(pair)
            if kind == COMMON_NAME:
                return value.decode()
    return ""


def _public(key: bytes) -> PublicKey:
    (_, kind), (_, bits) = der.elements(key)
    if kind != P256_KEY or bits[:2] != bytes([0, WHOLE_POINT]) or len(bits) != POINT_BYTES + 1:
        raise ValueError("its key is not one on P-256")
    x, y = bits[2:34], bits[34:]
    return PublicKey(P256, bytes([2 + (y[-1] & 1)]) + x)  # SEC 1, 2.3.3: with compression


def _pem(whole: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(whole).decode(), PEM_COLUMNS)
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()
