"""Lines of styled text, measured in terminal cells: wrapping, cutting, bars, durations and sizes.

Used by the views. A line is a tuple of pieces, a piece is text with the name of a style that `theme` (or the
plain menu, which has none) turns into something visible. Knows nothing of terminals or of Textual.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from archipel_contract import wrapping
from archipel_contract.catalogue.ui import Words
from archipel_contract.wrapping import TOGETHER

Piece = tuple[str, str]
Line = tuple[Piece, ...]

# Escape sequences, and all control characters: log lines and messages come from elsewhere and must not
# steer the terminal.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = {code: "?" for code in (*range(0x20), *range(0x7F, 0xA0))} | {0x09: " ", 0x0A: " ", 0x0D: " "}
_CONTROLS |= {
    code: "" for code in (0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
}

CUT = ".."


def clean(text: str) -> str:
    """Return foreign text without anything that could steer a terminal or reorder what is shown."""
    return _ESCAPES.sub("", text).translate(_CONTROLS)


def width(text: str) -> int:
    """Return how many cells `text` takes."""
    if text.isascii():
        return len(text)
    cells = 0
    for character in text:
        if not unicodedata.combining(character):
            cells += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return cells


def line(*pieces: str | Piece) -> Line:
    """Return a line of pieces; a bare string has the plain style."""
    return tuple(piece if isinstance(piece, tuple) else (piece, "") for piece in pieces)


def length(pieces: Line) -> int:
    """Return how many cells a line takes."""
    return sum(width(text) for text, _ in pieces)


def cut(text: str, cells: int) -> str:
    """Return `text` in at most `cells` cells, with two dots where it was cut. For foreign values only, never
    for words.
    """
    if width(text) <= cells:
        return text
    while text and width(text) > cells - len(CUT):
        text = text[:-1]
    return (text + CUT)[: max(cells, 0)]


def pad(text: str, cells: int) -> str:
    """Return `text` in exactly `cells` cells, cut or filled with spaces on the right."""
    text = cut(text, cells)
    return text + " " * (cells - width(text))


def wrap(text: str, cells: int) -> list[str]:
    """Return `text` in lines of at most `cells` cells, broken at spaces, inside a word only where it fits no
    line.
    """
    return wrapping.wrap(clean(text), cells)


def paragraph(text: str, cells: int, style: str = "") -> list[Line]:
    """Return wrapped text as lines of one style."""
    return [line((part, style)) for part in wrap(text, cells)]


def labelled(label: str, text: str, cells: int, column: int = 8, style: str = "") -> list[Line]:
    """Return `label` in a column of its own and `text` wrapped beside it."""
    column = max(column, width(label) + 1)
    parts = wrap(text, cells - column)
    first = line((pad(label, column), "label"), (parts[0], style))
    return [first, *(line(" " * column, (part, style)) for part in parts[1:])]


def columns(cells: Sequence[tuple[str, int, str]]) -> Line:
    """Return one row of a table: (text, width, style) for each cell, one space between them."""
    return tuple((pad(text, size) + " ", style) for text, size, style in cells)


def spread(left: Sequence[Piece], right: Sequence[Piece], cells: int, style: str = "") -> Line:
    """Return a line with `left` at its left end and `right` at its right end; the left gives way."""
    room = cells - sum(width(text) for text, _ in right)
    pieces: list[Piece] = []
    for text, look in left:
        text = cut(text, room)
        room -= width(text)
        pieces.append((text, look))
    return (*pieces, (" " * room, style), *right)


def bar(percent: float, cells: int) -> str:
    """Return a bar of `cells` characters such as `####......`."""
    filled = round(min(max(percent, 0.0), 100.0) / 100 * cells)
    return "#" * filled + "." * (cells - filled)


def duration(seconds: float, words: Words) -> str:
    """Return a span of time in its two largest units, such as `2 h 10 min`, for text that is wrapped."""
    left = max(int(seconds), 0)
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    parts: list[str] = []
    for name, size in units:
        if left >= size or (name == "second" and not parts):
            parts.append(words(f"time.{name}", n=left // size))
            left %= size
        elif parts:
            break
    return " ".join(parts[:2]).replace(" ", TOGETHER)


def stopwatch(seconds: float) -> str:
    """Return `0:41` or `1:02:03`."""
    whole = max(int(seconds), 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size_of(count: float) -> str:
    """Return bytes as a person reads them, in powers of 1024: `29 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.1f} {unit}" if count < 10 and unit not in ("B", "KiB") else f"{count:.0f} {unit}"
        count /= 1024
    raise AssertionError("the loop returns at its last unit")


def moment(text: str) -> datetime | None:
    """Return the time an RFC 3339 text names, None for an empty or a broken one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def local_time(text: str, now: datetime) -> str:
    """Return an RFC 3339 time as `14:32`, with its date when that is not today's, in the zone of `now`."""
    found = moment(text)
    if found is None:
        return ""
    found = found.astimezone(now.tzinfo)
    return f"{found:%H:%M}" if found.date() == now.date() else f"{found:%Y-%m-%d %H:%M}"
