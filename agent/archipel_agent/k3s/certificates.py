"""When k3s' own certificates begin and end, read from its files. Without `cryptography`, which a site has no other use for.

Read once an hour and at a closer look, never in an idle turn. k3s signs them for a year and renews at its start what has
less than 120 days left (`k3s certificate check` warns from there on); the authorities hold ten years and stay.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Disk

PLACES = (
    "server/tls",
    "server/tls/kube-controller-manager",
    "server/tls/kube-scheduler",
    "server/tls/etcd",
    "agent",
)
AUTHORITY = "authority"
_AUTHORITY = re.compile(r"-ca(\.nochain)?\.crt$")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.S)
_TIME = re.compile(r"\d{14}Z", re.A)
SEQUENCE, VERSION, UTC_TIME, GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


class NotReadable(ValueError):
    """These bytes are no certificate; the message says where they stop being one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of k3s: of a `server` or an `agent`, or an `authority` that signs them."""

    file: str  # below k3s' data directory
    kind: str
    begins: datetime
    ends: datetime


def certificates(disk: Disk, paths: Paths) -> tuple[Certificate, ...]:
    """Return k3s' certificates on this node, the first to end first; empty before k3s has made them.

    A file that cannot be read as one is left out: what is wrong with it is for `k3s_files_empty` and k3s itself to say.
    """
    return tuple(sorted(_found(disk, paths.k3s_data), key=lambda one: (one.ends, one.file)))


def first_to_end(found: tuple[Certificate, ...]) -> Certificate | None:
    """Return the one of the certificates k3s renews that ends first; None if there is none."""
    return min((one for one in found if one.kind != AUTHORITY), key=lambda one: one.ends, default=None)


def _found(disk: Disk, data: Path) -> Iterator[Certificate]:
    for place in PLACES:
        for name in disk.names(data / place):
            if not name.endswith(".crt"):
                continue
            kind = AUTHORITY if _AUTHORITY.search(name) else place.partition("/")[0]
            try:
                begins, ends = validity(disk.read(data / place / name))
            except (OSError, NotReadable):
                continue
            yield Certificate(file=f"{place}/{name}", kind=kind, begins=begins, ends=ends)


def validity(pem: bytes) -> tuple[datetime, datetime]:
    """Return from when to when the first certificate in `pem` is valid (RFC 5280, 4.1); raise NotReadable."""
    found = _PEM.search(pem)
    if found is None:
        raise NotReadable("there is no certificate in it")
    try:
        der = binascii.a2b_base64(found[1])
        inside = _opened(_opened(der, 0, SEQUENCE), 0, SEQUENCE)  # Certificate, TBSCertificate
        at = _after(inside, 0) if inside[:1] == bytes([VERSION]) else 0
        for _ in range(3):  # serialNumber, signature, issuer
            at = _after(inside, at)
        dates = _opened(inside, at, SEQUENCE)
        return _time(dates, 0), _time(dates, _after(dates, 0))
    except (IndexError, ValueError) as error:
        raise NotReadable(f"it is no certificate: {error}") from error


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of the element at `at`, where its content begins, and where it ends (X.690, 8.1)."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    if start + length > len(der):
        raise ValueError(f"the element at {at} is longer than the whole")
    return tag, start, start + length


def _opened(der: bytes, at: int, wanted: int) -> bytes:
    tag, start, end = _element(der, at)
    if tag != wanted:
        raise ValueError(f"an element of kind {tag:#x} at {at}, not {wanted:#x}")
    return der[start:end]


def _after(der: bytes, at: int) -> int:
    return _element(der, at)[2]


def _time(der: bytes, at: int) -> datetime:
    tag, start, end = _element(der, at)
    said = der[start:end].decode("ascii")
    if tag == UTC_TIME:  # two digits of the year: 1950 to 2049 (RFC 5280, 4.1.2.5.1)
        said = f"{'19' if said[:2] >= '50' else '20'}{said}"
    elif tag != GENERALIZED_TIME:
        raise ValueError(f"an element of kind {tag:#x} at {at} is no time")
    if _TIME.fullmatch(said) is None:
        raise ValueError(f"{said[:20]!r} is no time")
    return datetime.fromisoformat(f"{said[:8]}T{said[8:14]}").replace(tzinfo=UTC)
