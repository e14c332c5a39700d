"""k3s from its release page: which file, which digest, and that what arrived is that file.

The layout is upstream's (github.com/k3s-io/k3s/releases; a mirror keeps it): `<base>/download/<version>/<asset>` beside
`sha256sum-<arch>.txt` with lines `HEX  NAME`. The channel server answers with a redirect; a mirror may answer with the
version as text.
"""

import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.ports import Disk, Fetcher

ASSETS = {"x86_64": ("k3s", "amd64"), "aarch64": ("k3s-arm64", "arm64")}
BINARY_LIMIT = 200 << 20  # upstream keeps the binary below 80 MiB (scripts/binary_size_check.sh)
SUMS_LIMIT = 64 << 10
DIGEST_LINE = re.compile(r"([0-9a-f]{64})\s+\*?(\S+)")


class ChecksumWrong(Exception):
    """The file is not the published one."""

    def __init__(self, asset: str, wanted: str, got: str) -> None:
        super().__init__(f"{asset} has the SHA-256 {got[:16]}..., published is {wanted[:16]}...")
        self.wanted = wanted
        self.got = got


class NotPublished(Exception):
    """The release has no file for this machine, or no digest for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release for one architecture (`uname -m`)."""

    base: str
    version: str
    architecture: str

    @property
    def asset(self) -> str:
        """The name of the binary; raise NotPublished for an architecture without one."""
        if self.architecture not in ASSETS:
            raise NotPublished(f"k3s is not published for {self.architecture}")
        return ASSETS[self.architecture][0]

    def url(self, name: str) -> str:
        """Return the address of one file; `+` in versions must be written %2B."""
        return f"{self.base}/download/{urllib.parse.quote(self.version, safe='')}/{name}"

    @property
    def sums_url(self) -> str:
        """The address of the digests."""
        return self.url(f"sha256sum-{ASSETS[self.architecture][1]}.txt")


def published_digest(sums: str, asset: str) -> str:
    """Return the digest that a sha256sum file gives for `asset`; raise NotPublished."""
    for digest, name in DIGEST_LINE.findall(sums):
        if name.removeprefix("./").rsplit("/", 1)[-1] == asset:
            return str(digest)
    raise NotPublished(f"the list of digests has no line for {asset}")


def download(release: Release, fetcher: Fetcher, disk: Disk, target: Path) -> str:
    """Download and verify the binary into `target`; return its digest.

    A file that does not match is removed. Raises ChecksumWrong, NotPublished, FetchFailed, OSError.
    """
    asset = release.asset
    wanted = published_digest(fetcher.fetch(release.sums_url, SUMS_LIMIT).decode(errors="replace"), asset)
    if not disk.exists(target) or disk.sha256(target) != wanted:
        fetcher.download(release.url(asset), target, BINARY_LIMIT)
    got = disk.sha256(target)
    if got != wanted:
        disk.remove(target)
        raise ChecksumWrong(asset, wanted, got)
    return got
