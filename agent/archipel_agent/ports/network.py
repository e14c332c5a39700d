"""The ports to whatever else answers by network: downloads, a UPS server, the neighbours on the local network.

Implemented by `host/fetch.py`, `host/ups.py` and `host/arp.py`. The fleet has ports of its own, in `fleet`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class FetchFailed(Exception):
    """A download did not succeed; the message says which and why in one line."""


class Fetcher(Protocol):
    """Downloads over HTTP(S)."""

    def fetch(self, url: str, limit: int) -> bytes:
        """Return the body of a small file of at most `limit` bytes; raise FetchFailed."""
        ...

    def download(self, url: str, target: Path, limit: int) -> None:
        """Write the body to `target`, going on from what is there already; raise FetchFailed."""
        ...


class UpsSilent(Exception):
    """A UPS server was not heard; the message says why in one line."""


class Ups(Protocol):
    """One question to a UPS server over TCP."""

    def ask(self, host: str, port: int, question: bytes, end: bytes, limit: int) -> bytes:
        """Return the answer up to `end`, to a line that begins with `ERR `, or to `limit` bytes; raise UpsSilent."""
        ...


class LanSilent(Exception):
    """The local network could not be asked; the message says why in one line."""


class Lan(Protocol):
    """One question to the local network."""

    def holders(self, interface: str, address: str) -> tuple[str, ...]:
        """Return the hardware addresses (`02:00:00:00:00:01`) of whoever says that an IPv4 address is theirs; one may be
        ours, of another interface on the same network. Takes about a second where nobody answers. Raises LanSilent."""
        ...
