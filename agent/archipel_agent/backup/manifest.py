"""What a backup says of itself: its first member, and the sums that are its last.

A backup is a tar stream, compressed by gzip, sealed by age. Its first member is `manifest.json`, its last `SHA256SUMS` in
the format of sha256sum(1); all others are named by their place below the root of a machine, but for what is Archipel's own.
So it opens with `age -d`, `tar` and `sha256sum -c` alone.
"""

import re
from dataclasses import dataclass

from archipel_contract.facts import ClockQuality
from archipel_contract.site import Network, SiteDocument

FORMAT = 1
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
OWN = "archipel/"  # members below this are no files of the machine
SITE = f"{OWN}site.json"
AS_FOUND = (
    f"{OWN}as-found/"  # unit and settings of an adopted k3s, by their places; kept for people, never laid out
)
MANIFEST_BYTES = 4 << 20  # far above what any manifest takes
SQLITE, ETCD = "sqlite", "etcd"


class BackupUnusable(Exception):
    """A backup cannot be used; `code` is the finding: backup-damaged, backup-wrong-key, backup-format, backup-foreign."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(problem)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in a backup: its name, its bytes and their digest."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A persistent volume in a backup; its files stand in the sums, because they may change until they are read."""

    name: str
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """How a k3s that was adopted is set: told by k3s itself, its secrets masked."""

    arguments: dict[str, tuple[str, ...]]  # by their names in config.yaml
    network: Network
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is in a backup, of which site, from when."""

    format: int
    site_id: str
    site_name: str
    node_name: str
    sequence: int  # grows by one with each backup of the site; order goes by it, never by time
    made_at: str  # by the clock of the machine
    clock: ClockQuality  # and how far that clock was trusted
    agent_version: str
    k3s_version: str
    architecture: str
    datastore: str  # sqlite or etcd
    members: tuple[Member, ...]
    volumes: tuple[Volume, ...] = ()
    left_out: tuple[str, ...] = ()  # what could not be taken along: sockets, devices, other file systems
    adopted: Adopted | None = None  # None: Archipel had set this k3s up

    @property
    def size(self) -> int:
        """The bytes it takes unpacked, as near as can be said before the volumes are read."""
        return sum(one.size for one in self.members) + sum(one.size for one in self.volumes)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRecord:
    """What Archipel itself knows of the site: the document in force and its tokens."""

    document: SiteDocument
    token: str  # opens the datastore
    agent_token: str = ""  # empty where agents join with the other one


NAME = re.compile(r"archipel-(?P<site>[a-z0-9-]+)-(?P<sequence>\d{6,})\.tar\.gz\.age")


def name_of(site_id: str, sequence: int) -> str:
    """Return the name of a backup's file: site and sequence, and no time, which may be wrong."""
    return f"archipel-{site_id}-{sequence:06}.tar.gz.age"


def read_name(name: str) -> tuple[str, int] | None:
    """Return site id and sequence of a backup's file name; None for any other name."""
    found = NAME.fullmatch(name)
    return (found["site"], int(found["sequence"])) if found else None


def is_left_behind(name: str, running: str) -> bool:
    """Whether what was to become the backup `name` was cut off, now that `running` of the same site is being sent: a site
    sends one at a time, in order. Of other sites, which may be sending theirs right now, nothing is."""
    cut, sent = read_name(name), read_name(running)
    return cut is not None and sent is not None and cut[0] == sent[0] and cut[1] <= sent[1]
