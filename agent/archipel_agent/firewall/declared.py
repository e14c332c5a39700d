"""What may come in, as the site declares it: one opening a line, such as `6443/tcp from 192.168.7.0/24`.

Kept in `/etc/archipel/firewall.conf`, which people may edit; a line that cannot be understood is refused with its number,
because a firewall must not guess. Pure: text in, openings out.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

PROTOCOLS = ("tcp", "udp")
ANYWHERE: tuple[str, ...] = ()

HEAD = """\
# What may come in to this machine, one opening a line:   PORT[-PORT]/tcp|udp [from NETWORK...]
# Written by `archipel firewall open` and `close`; edit it as you like, then run `archipel firewall on`.
# Pods and the machine itself are never hindered; ping and DHCP are always let in.
"""


class DeclarationInvalid(ValueError):
    """A line cannot be understood; the message says which, why, and how it could read."""


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """Ports of a protocol that may be reached, from everywhere or from some networks only."""

    first: int
    last: int
    protocol: str = "tcp"
    sources: tuple[str, ...] = ANYWHERE  # networks such as 192.168.7.0/24 or fd00::/8, sorted

    @property
    def ports(self) -> str:
        """The ports as nft and people write them."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def lets_in(self, port: int, protocol: str, source: str = "") -> bool:
        """Whether something from the address `source` reaches `port`; without one, whether somebody at all does."""
        if protocol != self.protocol or not self.first <= port <= self.last:
            return False
        if not source or not self.sources:
            return True
        address = ipaddress.ip_address(source)
        return any(address in ipaddress.ip_network(network) for network in self.sources)

    def __str__(self) -> str:
        origin = f" from {' '.join(self.sources)}" if self.sources else ""
        return f"{self.ports}/{self.protocol}{origin}"


# A technician comes by SSH, an administrator by kubectl; further nodes add themselves when they join.
DEFAULT = (Opening(22, 22), Opening(6443, 6443))


def opening(text: str) -> Opening:
    """Return the opening that `text` describes; raise DeclarationInvalid."""
    where, *rest = text.split(None, 1) or [""]
    origin = rest[0].removeprefix("from") if rest else ""
    words = origin.replace(",", " ").split()
    if rest and (not words or not rest[0].startswith("from")):
        raise DeclarationInvalid(
            "after the ports comes nothing, or `from` and a network, such as from 192.168.7.0/24"
        )
    ports, slash, protocol = where.partition("/")
    protocol = protocol.strip().lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise DeclarationInvalid(f"{protocol!r} is not a protocol; it is tcp or udp, as in 443/tcp")
    first, dash, last = ports.partition("-")
    low = _port(first)
    high = _port(last) if dash else low
    if high < low:
        raise DeclarationInvalid(f"{ports} runs backwards; write {high}-{low}")
    return Opening(low, high, protocol, tuple(sorted({_network(word) for word in words})))


def _port(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits[:6]) < 65536):
        raise DeclarationInvalid(f"{digits!r} is not a port; ports are 1 to 65535, as in 443/tcp")
    return int(digits)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise DeclarationInvalid(f"{text!r} is not a network; write it like 192.168.7.0/24") from error


def parse(text: str) -> tuple[Opening, ...]:
    """Return what a whole file declares, each opening once, sorted; raise DeclarationInvalid naming the line."""
    found = set()
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        said = line.split("#", 1)[0].strip()
        if not said:
            continue
        try:
            found.add(opening(said))
        except DeclarationInvalid as error:
            raise DeclarationInvalid(f"line {number}: {error}") from error
    return tuple(sorted(found))


def text_of(openings: Iterable[Opening]) -> str:
    """Return a file that declares `openings`; `parse` gives the same ones back."""
    return HEAD + "".join(f"{one}\n" for one in sorted(set(openings)))
