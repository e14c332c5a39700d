"""From the bytes of an answer file to its text and back, whatever editor wrote it. Pure.

UTF-8 is what TOML is written in. A byte order mark is left out, and UTF-16 with one is read as what it is; Windows' line
ends are TOML's own. Anything else is named with its place and not guessed at: Latin-1 read as what it may be could turn a
name into another one.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 64 << 10  # bytes; the template with every key in it has about 4 KiB
MOST_PLACES = 20  # of bytes that are no text, named one by one
MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Line and column, both counted from 1, the column in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadByte:
    """A byte that is no text."""

    place: Place
    byte: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A file as text. `bad` bytes stand in it as U+FFFD, so that the rest can be looked at all the same."""

    text: str
    mark: bytes = b""
    encoding: str = "utf-8"
    odd: str = ""  # what it is written in, where that is not plain UTF-8
    bad: tuple[BadByte, ...] = ()

    def place(self, offset: int) -> Place:
        """Return the place of a character."""
        start = self.text.rfind("\n", 0, offset) + 1
        return Place(line=self.text.count("\n", 0, offset) + 1, column=offset - start + 1)

    def with_replaced(self, spans: Sequence[tuple[int, int]], instead: str) -> bytes:
        """Return the file's bytes with these spans of characters replaced, and every other byte as it was."""
        text = self.text
        for start, end in sorted(spans, reverse=True):
            text = text[:start] + instead + text[end:]
        return self.mark + text.encode(self.encoding)


def decoded(data: bytes) -> Text:
    """Return the text of a file; what cannot be read in it is in `bad`."""
    for mark, encoding, odd in MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, errors="replace")
            return Text(text=text, mark=mark, encoding=encoding, odd=odd, bad=_bad_characters(text))
    bad = _bad_bytes(data)
    return Text(text=data.decode(errors="replace"), bad=bad)


def _bad_bytes(data: bytes) -> tuple[BadByte, ...]:
    """Return the first byte of each line that is not UTF-8, or is zero."""
    found: list[BadByte] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        at = _bad_at(line)
        if at >= 0 and len(found) < MOST_PLACES:
            column = len(line[:at].decode(errors="replace")) + 1
            found.append(BadByte(place=Place(line=number, column=column), byte=line[at]))
    return tuple(found)


def _bad_at(line: bytes) -> int:
    zero = line.find(b"\0")
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.start if zero < 0 else min(zero, error.start)
    return zero


def _bad_characters(text: str) -> tuple[BadByte, ...]:
    """Return the first character of a UTF-16 text that cannot be: half a pair, half a character at the end, or zero."""
    at = [one for one in (text.find("\ufffd"), text.find("\0")) if one >= 0]
    if not at:
        return ()
    found = Text(text=text).place(min(at))
    return (BadByte(place=found, byte=0),)
