"""When k3s' own certificates begin and end, read from its files. Without `cryptography`, which a site has no other use for.

Read once an hour and at a closer look, never in an idle turn. k3s signs them for a year and renews at its start what has
less than 120 days left (`k3s certificate check` warns from there on); the authorities hold ten years and stay.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Files
from archipel_contract import der

PLACES = (
    "server/tls",
    "server/tls/kube-controller-manager",
    "server/tls/kube-scheduler",
    "server/tls/etcd",
    "agent",
)
AUTHORITY = "authority"
_AUTHORITY = re.compile(r"-ca(\.nochain)?\.crt$")


class NotReadable(ValueError):
    """These bytes are no certificate; the message says where they stop being one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of k3s: of a `server` or an `agent`, or an `authority` that signs them."""

    file: str  # below k3s' data directory
    kind: str
    begins: datetime
    ends: datetime


def certificates(disk: Files, paths: Paths) -> tuple[Certificate, ...]:
    """Return k3s' certificates on this node, the first to end first; empty before k3s has made them.

    A file that cannot be read as one is left out: what is wrong with it is for `k3s_files_empty` and k3s itself to say.
    """
    return tuple(sorted(_found(disk, paths.k3s_data), key=lambda one: (one.ends, one.file)))


def first_to_end(found: tuple[Certificate, ...]) -> Certificate | None:
    """Return the one of the certificates k3s renews that ends first; None if there is none."""
    return min((one for one in found if one.kind != AUTHORITY), key=lambda one: one.ends, default=None)


def _found(disk: Files, data: Path) -> Iterator[Certificate]:
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
    try:
        signed, at = der.inside(der.from_pem(pem))
        for _ in range(3):  # serialNumber, signature, issuer
            at = der.after(signed, at)
        dates = der.opened(signed, at, der.SEQUENCE)
        return der.time(dates, 0), der.time(dates, der.after(dates, 0))
    except (IndexError, ValueError) as error:
        raise NotReadable(f"it is no certificate: {error}") from error
