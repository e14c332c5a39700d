"""The little of DER (X.690) and PEM (RFC 7468) that it takes to read what a certificate says, without any library.

Whoever reads here trusts the file already: nothing is verified. Readers are `reading` (a device's own certificate) and the
agent's look at the certificates of k3s. All raise ValueError or IndexError for what is cut off or of another kind.
"""

import binascii
import re
from datetime import UTC, datetime

INTEGER, BIT_STRING, OBJECT, SEQUENCE, SET = 0x02, 0x03, 0x06, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VERSION = 0xA0  # the tag [0] of a certificate's version, which the first version leaves out (RFC 5280, 4.1)
LONG = 0x80  # a length that has bytes of its own
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.S)
_TIME = re.compile(r"\d{14}Z", re.A)


def from_pem(pem: bytes) -> bytes:
    """Return the DER of the first certificate in `pem`; raise ValueError."""
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("there is no certificate in it")
    return binascii.a2b_base64(found[1])


def element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of the element at `at`, where its content begins, and where it ends (X.690, 8.1)."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length >= LONG:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    if start + length > len(der):
        raise ValueError(f"the element at {at} is longer than the whole")
    return tag, start, start + length


def opened(der: bytes, at: int, wanted: int) -> bytes:
    """Return the content of the element at `at`, which must be of the kind `wanted`."""
    tag, start, end = element(der, at)
    if tag != wanted:
        raise ValueError(f"an element of kind {tag:#x} at {at}, not {wanted:#x}")
    return der[start:end]


def after(der: bytes, at: int) -> int:
    """Return where the next element begins."""
    return element(der, at)[2]


def elements(der: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each of the elements that stand one after another."""
    found, at = [], 0
    while at < len(der):
        tag, start, at = element(der, at)
        found.append((tag, der[start:at]))
    return found


def time(der: bytes, at: int) -> datetime:
    """Return the time at `at` (RFC 5280, 4.1.2.5)."""
    tag, start, end = element(der, at)
    said = der[start:end].decode("ascii")
    if tag == UTC_TIME:  # two digits of the year: 1950 to 2049 (RFC 5280, 4.1.2.5.1)
        said = f"{'19' if said[:2] >= '50' else '20'}{said}"
    elif tag != GENERALIZED_TIME:
        raise ValueError(f"an element of kind {tag:#x} at {at} is no time")
    if _TIME.fullmatch(said) is None:
        raise ValueError(f"{said[:20]!r} is no time")
    return datetime.fromisoformat(f"{said[:8]}T{said[8:14]}").replace(tzinfo=UTC)


def inside(certificate: bytes) -> tuple[bytes, int]:
    """Return what a certificate's signature is over (TBSCertificate), and where in it the serial number stands."""
    signed = opened(opened(certificate, 0, SEQUENCE), 0, SEQUENCE)
    return signed, after(signed, 0) if signed[:1] == bytes([VERSION]) else 0
