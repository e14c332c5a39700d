"""The simulated k3s' certificates: files with nothing in them but their dates, kept and renewed as the real one does.

k3s signs for a year and renews at its start what is not there or has less than 120 days left (v1.36.3).
"""

import binascii
from datetime import datetime, timedelta

from archipel_agent.k3s.certificates import NotReadable, validity
from archipel_agent.k3s.restarts import RENEWED_BELOW
from archipel_agent.paths import Paths
from archipel_agent.ports import Disk
from archipel_contract.der import INTEGER, SEQUENCE, UTC_TIME, VERSION

LIFE = timedelta(days=365)
FILES = ("server/tls/serving-kube-apiserver.crt", "agent/client-kubelet.crt")
PUBLIC = 0o644


def renew(disk: Disk, paths: Paths, now: datetime) -> None:
    """What a start of k3s does."""
    for name in FILES:
        path = paths.k3s_data / name
        try:
            _, ends = validity(disk.read(path))
        except (OSError, NotReadable):
            ends = now
        if ends - now < RENEWED_BELOW:
            disk.write(path, certificate(now, now + LIFE), PUBLIC)


def rotate(disk: Disk, paths: Paths) -> None:
    """What `k3s certificate rotate` does."""
    for name in FILES:
        disk.remove(paths.k3s_data / name)


def certificate(begins: datetime, ends: datetime) -> bytes:
    """Return a certificate (PEM) that says only from when to when it is valid; between 1950 and 2049."""
    dates = _element(
        SEQUENCE, b"".join(_element(UTC_TIME, f"{one:%y%m%d%H%M%SZ}".encode()) for one in (begins, ends))
    )
    one = _element(INTEGER, b"\1")
    nothing = _element(SEQUENCE, b"")
    inside = _element(VERSION, one) + one + nothing + nothing + dates
    der = _element(SEQUENCE, _element(SEQUENCE, inside))
    return b"-----BEGIN CERTIFICATE-----\n" + binascii.b2a_base64(der) + b"-----END CERTIFICATE-----\n"


def _element(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content  # all of it is shorter than 128 bytes
