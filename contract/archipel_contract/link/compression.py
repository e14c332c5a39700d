"""Compression of messages: zlib, with a preset dictionary of words that our messages are made of.

The standard library's zlib (RFC 1950) rather than zstd: with a dictionary it brings a metrics message to about half, needs
nothing to be installed, and every language has it. The stream's own header names the dictionary by its Adler-32 (FDICT),
so a dictionary is never changed: a better one is added beside the old ones, and used only towards a reader known to have it.
"""

import functools
import zlib
from pathlib import Path

LEVEL = 6
WORTHWHILE = 64  # bytes below which a zlib stream is not smaller
_ZLIB = 0x78  # CMF byte of a deflate stream with a 32 KiB window
_FDICT = 0x20


class NotReadable(ValueError):
    """A compressed message cannot be decompressed; the message says why."""


class TooLarge(NotReadable):
    """A compressed message holds more than its reader is ready to take."""


@functools.cache
def dictionaries() -> dict[int, bytes]:
    """Return every dictionary we know, by its Adler-32; the last one is used for writing."""
    folder = Path(__file__).with_name("dictionaries")  # importlib.resources takes a megabyte
    names = sorted(
        (one.name for one in folder.iterdir() if one.name.endswith(".txt")), key=lambda name: int(name[:-4])
    )
    found = [(name, folder.joinpath(name).read_bytes()) for name in names]
    return {zlib.adler32(words): words for _, words in found}


@functools.cache
def _writing() -> bytes:
    return list(dictionaries().values())[-1]


def smaller(data: bytes) -> bytes:
    """Return `data` compressed, or as it is where that is not smaller."""
    if len(data) < WORTHWHILE:
        return data
    packer = zlib.compressobj(level=LEVEL, zdict=_writing())
    packed = packer.compress(data) + packer.flush()
    return packed if len(packed) < len(data) else data


def restored(data: bytes, limit: int) -> bytes:
    """Return what `data` holds, at most `limit` bytes; data that is no zlib stream is returned as it is.

    Raises TooLarge (before more than `limit` bytes were made) and NotReadable.
    """
    if data[:1] != bytes([_ZLIB]):
        return data
    words = b""
    if len(data) > 6 and data[1] & _FDICT:
        name = int.from_bytes(data[2:6], "big")
        words = dictionaries().get(name, b"")
        if not words:
            raise NotReadable(f"compressed with dictionary {name:08x}, which this program does not have")
    unpacker = zlib.decompressobj(zdict=words) if words else zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        raise NotReadable(f"not a zlib stream: {error}") from error
    if len(plain) > limit:
        raise TooLarge(f"holds more than {limit} bytes when decompressed")
    if not unpacker.eof or unpacker.unused_data:
        raise NotReadable("the zlib stream is cut short or has something behind it")
    return plain
