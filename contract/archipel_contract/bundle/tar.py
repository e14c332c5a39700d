"""The few lines of the tar format a bundle uses: a header is made and taken apart, nothing else.

POSIX ustar (pubs.opengroup.org, pax): a header of 512 bytes, the content padded to 512, two empty blocks at the end. Only
plain files with short names are taken: no links, directories, devices, extended headers or sparse files, so that a
hostile archive has nothing to say. Sizes beyond eight gigabytes (GNU base-256) are read in order to be refused by name.
"""

from dataclasses import dataclass

BLOCK = 512
END = bytes(2 * BLOCK)
MAGICS = (b"ustar\x0000", b"ustar  \x00")  # POSIX and GNU
PLAIN = (b"0", b"\x00")
KINDS = {
    b"1": "a link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a directory",
    b"6": "a pipe",
}
MODE = 0o644


class HeaderInvalid(ValueError):
    """A block is no header we take; the message says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says: the member's name, and its size in bytes."""

    name: str
    size: int


def packed(name: str, size: int) -> bytes:
    """Return the header of a plain file of root with no date; the same for the same arguments."""
    fields = [
        name.encode("ascii").ljust(100, b"\0"),
        b"%07o\0" % MODE,
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"%011o\0" % size,
        b"%011o\0" % 0,
        b" " * 8,
        b"0",
        bytes(100),
        MAGICS[0],
        bytes(32 + 32 + 8 + 8 + 155 + 12),
    ]
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padding(size: int) -> int:
    """Return how many zeros follow a content of `size` bytes."""
    return -size % BLOCK


def parsed(block: bytes) -> Header | None:
    """Return what a header says, None for an empty block (the end); raise HeaderInvalid."""
    if len(block) != BLOCK:
        raise HeaderInvalid("it ends in the middle of a header")
    if block == bytes(BLOCK):
        return None
    if block[257:265] not in MAGICS:
        raise HeaderInvalid("this is no tar archive")
    if _octal(block[148:156], "checksum") != sum(block[:148]) + 8 * 32 + sum(block[156:]):
        raise HeaderInvalid("a header does not have its checksum")
    name = _text(block[:100])
    kind = block[156:157]
    if kind not in PLAIN:
        raise HeaderInvalid(f"{name!r} is {KINDS.get(kind, 'something else')}, not a plain file")
    if block[157:257].strip(b"\0") or block[345:500].strip(b"\0"):
        raise HeaderInvalid(f"{name!r} names a link or a directory")
    return Header(name, _size(block[124:136]))


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", errors="replace")


def _size(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: a binary number, the first bit set
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    return _octal(field, "size")


def _octal(field: bytes, what: str) -> int:
    digits = field.strip(b"\0 ")
    if not digits or not all(0x30 <= one <= 0x37 for one in digits):
        raise HeaderInvalid(f"a {what} is no number")
    return int(digits, 8)
