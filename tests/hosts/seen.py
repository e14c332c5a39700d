"""What a look at a host from outside can see: files, mounts, links, firewall rules, listeners.

Mixed into `host.Host`. It only reads, with the host's own tools or through /proc, so that a test can
compare the host before and after.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.hosts.whole import Whole


@dataclass(frozen=True)
class FileSeen:
    """One entry of a file system: kind is file, directory, link, socket, fifo or device; size in bytes
    (files only); content is the SHA-256 of a file or the target of a link."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    content: str


@dataclass(frozen=True)
class Mount:
    """One line of the host's mount table."""

    point: str
    kind: str
    source: str
    options: str


@dataclass(frozen=True, order=True)
class Listener:
    """One listening TCP or bound UDP socket; process is the name of its first owner, or empty."""

    protocol: str
    address: str
    port: int
    process: str


class Seen(Whole):
    """The looking half of a host."""

    def snapshot_files(self, ignore: Sequence[str] = ()) -> dict[str, FileSeen]:
        """Every entry on the host's own disk by its path inside, none at and below the paths in `ignore`."""
        skip = {PurePosixPath(path) for path in ignore}
        found: dict[str, FileSeen] = {}
        for inside, outside in self.layers():
            if skip & {inside, *inside.parents}:
                continue
            found.update(_walk(inside, outside, skip))
        return found

    def mounts(self) -> list[Mount]:
        """The host's mount table in its order."""
        found = []
        for line in Path(f"/proc/{self.leader}/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            kind, source, _ = right.split(" ", 2)
            words = left.split()
            found.append(Mount(words[4].encode().decode("unicode_escape"), kind, source, words[5]))
        return found

    def links(self) -> dict[str, str]:
        """Network interfaces of the host: name -> kind (`veth`, `bridge`, `vxlan`, ... or the link type)."""
        shown = json.loads(self.run(["ip", "-json", "-details", "link"]).ok().stdout)
        return {
            link["ifname"]: link.get("linkinfo", {}).get("info_kind") or link["link_type"] for link in shown
        }

    def firewall_rules(self) -> list[str]:
        """Every rule and chain of both IP versions, as nft, iptables and its legacy form show them, sorted,
        counters off."""
        rules: set[str] = set()
        for tool in ("iptables", "ip6tables"):
            for form in ("nft", "legacy"):
                shown = self.run([f"{tool}-{form}-save"])
                rules |= {
                    f"{tool}-{form} {line.split(' [')[0]}"
                    for line in shown.stdout.splitlines()
                    if line[:1] in ":-"
                }
        rules |= {
            f"nft {line.strip()}" for line in self.run(["nft", "-s", "list", "ruleset"]).stdout.splitlines()
        }
        return sorted(rule for rule in rules if not _is_empty_chain(rule))

    def listeners(self) -> list[Listener]:
        """Every listening TCP socket and every unconnected UDP socket of the host, loopback too."""
        found = set()
        for line in self.run(["ss", "-Hlntup"]).ok().stdout.splitlines():
            words = line.split()
            address, _, port = words[4].rpartition(":")
            owner = line.partition('users:(("')[2].partition('"')[0]
            found.add(Listener(words[0], address, int(port) if port.isdigit() else 0, owner))
        return sorted(found)


def _is_empty_chain(rule: str) -> bool:
    """The built-in chains with their accepting policy are there or not as soon as anybody lists them."""
    return " :" in rule and rule.endswith(" ACCEPT")


def _walk(inside: PurePosixPath, outside: Path, skip: set[PurePosixPath]) -> Iterator[tuple[str, FileSeen]]:
    waiting = [(inside, outside)]
    while waiting:
        shown, directory = waiting.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                path = shown / entry.name
                if path in skip or entry.name == "lost+found":
                    continue
                try:
                    seen = _seen(entry)
                except FileNotFoundError:
                    continue  # a running host removes files while we look
                yield str(path), seen
                if seen.kind == "directory":
                    waiting.append((path, Path(entry.path)))


def _seen(entry: "os.DirEntry[str]") -> FileSeen:
    status = entry.stat(follow_symlinks=False)
    kind = _kind(status.st_mode)
    content, size = "", 0
    if kind == "file":
        size = status.st_size
        with open(entry.path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif kind == "link":
        content = os.readlink(entry.path)
    return FileSeen(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, size, content)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFSOCK: "socket"}
    kinds[stat.S_IFIFO] = "fifo"
    return kinds.get(stat.S_IFMT(mode), "device")
