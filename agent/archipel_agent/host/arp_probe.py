"""Asks by ARP who has an address, as RFC 5227 has a machine probe for its own. Of the standard library alone.

Called by `host.arp`: in the agent's process, or as a program of its own where the agent's sandbox forbids packet sockets.
That program has to begin at once, also on a slow board, so nothing else of ours may be imported here. A probe names no
sender address, so that nobody's table is changed by it.
"""

import socket
import struct
import sys
import time

# RFC 5227, section 1.1, has three probes (PROBE_NUM) with a second between them, for machines that are just waking up. A
# person waits here: on a cable the answer takes a millisecond, and a radio that sleeps wakes within a third of a second.
PROBES = 3
GAP_SECONDS = 0.15
FRAME_BYTES = 2048
ARP, IPV4 = 0x0806, 0x0800  # types of Ethernet frames
ETHERNET = 1  # ARPHRD_ETHER of <linux/if_arp.h>, and the hardware type of ARP itself
BROADCAST = b"\xff" * 6
NOBODY = b"\x00" * 6
BODY = struct.Struct("!HHBBH6s4s6s4s")  # RFC 826: hardware, protocol, lengths, operation, sender, target
HEAD = struct.Struct("!6s6sH")


class NoEthernet(OSError):
    """The interface is one on which nobody asks by ARP."""


def ask(interface: str, address: str) -> tuple[str, ...]:
    """Return the hardware addresses of whoever answers, as soon as somebody does; raise OSError."""
    wanted = socket.inet_aton(address)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as line:
        line.bind((interface, ARP))
        kind, own = line.getsockname()[3:5]
        if kind != ETHERNET:
            raise NoEthernet(0, "is no Ethernet")
        for _ in range(PROBES):
            line.send(probe(own, wanted))
            if found := _heard(line, wanted):
                return tuple(sorted(found - {_text(own)}))
    return ()


def _heard(line: socket.socket, address: bytes) -> set[str]:
    """Return who said within a moment that the address is theirs."""
    found: set[str] = set()
    until = time.monotonic() + GAP_SECONDS
    while (left := until - time.monotonic()) > 0:
        line.settimeout(left)
        try:
            frame = line.recv(FRAME_BYTES)
        except TimeoutError:
            break
        if holder := holder_in(frame, address):
            found.add(holder)
    return found


def probe(own: bytes, address: bytes) -> bytes:
    """Return the frame that asks everybody who has `address`."""
    body = BODY.pack(ETHERNET, IPV4, 6, 4, 1, own, bytes(4), NOBODY, address)
    return HEAD.pack(BROADCAST, own, ARP) + body


def holder_in(frame: bytes, address: bytes) -> str | None:
    """Return the hardware address of a frame's sender if it says that `address` is its own; None for every other frame."""
    if len(frame) < HEAD.size + BODY.size or HEAD.unpack_from(frame)[2] != ARP:
        return None
    hardware, protocol, long, short, operation, sender, said, _, _ = BODY.unpack_from(frame, HEAD.size)
    is_plain = (hardware, protocol, long, short) == (ETHERNET, IPV4, 6, 4) and operation in (1, 2)
    return _text(sender) if is_plain and said == address else None


def _text(hardware: bytes) -> str:
    return hardware.hex(":")


def main(interface: str, address: str) -> int:
    """Ask, and write one address a line; the errno of what went wrong, and its words, are the last line on stderr."""
    try:
        found = ask(interface, address)
    except OSError as error:
        sys.stderr.write(f"{error.errno or 0} {error.strerror}\n")
        return 1
    sys.stdout.write("".join(f"{one}\n" for one in found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
