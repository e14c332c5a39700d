"""What a command writes: plain text with marks that need no colour, tables, JSON. Colour only where somebody looks.

Answers go to standard output, remarks to standard error. Words about contact, health and ages are those of the pages.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TextIO

from archipel_contract import wire
from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Severity
from archipel_contract.status import Health
from archipel_fleet.records import ContactState


class Mark(Enum):
    """A sign and its colour (SGR code); readable without colour and on any console."""

    GOOD = ("+", "32")
    CALM = (".", "36")
    WARN = ("!", "33")
    BAD = ("x", "31")
    OPEN = ("?", "36")


MARK_OF_CONTACT = {
    ContactState.CONNECTED: Mark.GOOD,
    ContactState.QUIET: Mark.CALM,
    ContactState.OVERDUE: Mark.WARN,
    ContactState.NEVER: Mark.OPEN,
    ContactState.UNKNOWN: Mark.OPEN,
}
MARK_OF_HEALTH = {
    Health.HEALTHY: Mark.GOOD,
    Health.UNHEALTHY: Mark.BAD,
    Health.UNKNOWN: Mark.OPEN,
    Health.NOT_SET_UP: Mark.CALM,
    Health.STOPPED: Mark.CALM,
    Health.WORKING: Mark.CALM,
}
MARK_OF_SEVERITY = {
    Severity.PROBLEM: Mark.BAD,
    Severity.WARNING: Mark.WARN,
    Severity.HINT: Mark.OPEN,
    Severity.UNKNOWN: Mark.WARN,
}


def wants_color(choice: bool | None, out: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to colour: as chosen, else on a terminal that is not dumb, unless NO_COLOR is set (no-color.org)."""
    if choice is not None:
        return choice
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb" and out.isatty()


def language_of(choice: str | None, environment: Mapping[str, str]) -> str:
    """Return `en` or `de`: as chosen, else by ARCHIPEL_LANGUAGE, else by the locale's usual variables in their order."""
    if choice:
        return choice
    names = ("ARCHIPEL_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    said = next((value for name in names if (value := environment.get(name))), "")
    return "de" if said.lower().startswith("de") else "en"


def plain(text: str) -> str:
    """Return text from elsewhere without control characters, so that it cannot steer the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


class Screen:
    """Where a command writes."""

    def __init__(
        self, *, color: bool | None = None, language: str | None = None, as_json: bool = False
    ) -> None:
        self.out = sys.stdout
        self.err = sys.stderr
        self.color = wants_color(color, self.out, os.environ)
        self.words = Words(language_of(language, os.environ))
        self.as_json = as_json

    @property
    def language(self) -> str:
        """The language of the words."""
        return self.words.language

    @property
    def is_terminal(self) -> bool:
        """Whether somebody sits in front of the answer."""
        return self.out.isatty() and not self.as_json

    def line(self, text: str = "") -> None:
        """Write a line of the answer."""
        print(text, file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Write a remark, which is not part of the answer."""
        print(text, file=self.err, flush=True)

    def data(self, value: Any) -> None:
        """Write the answer as one line of JSON."""
        self.line(wire.to_json(value).decode())

    def mark(self, mark: Mark) -> str:
        """Return a mark, coloured if wanted."""
        sign, color = mark.value
        return f"\033[{color}m{sign}\033[0m" if self.color else sign

    def strong(self, text: str) -> str:
        """Return a text set off from its surroundings, if there is colour."""
        return f"\033[1m{text}\033[0m" if self.color else text

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[tuple[Sequence[Mark], Sequence[str]]],
        spare: Sequence[int] = (),
        may_split: bool = False,
    ) -> None:
        """Write columns as wide as their widest cell, the last one free; each row has marks in front, then its cells.

        Where there is not room for all (on a terminal; elsewhere only as COLUMNS says) the columns in `spare` are left out,
        the first of them first, and named below. Where that does not do, and the table `may_split`, the first cell of each
        row gets a line of its own.
        """
        cells = [tuple(map(plain, row)) for _, row in rows]
        marked = max((len(marks) for marks, _ in rows), default=0)
        widths = [max([len(title), *(len(row[i]) for row in cells)]) for i, title in enumerate(head)]
        front = " " * (marked * 2)
        room = self._room()
        shown = _fitting(widths, len(front), spare, room)
        wide = [widths[i] for i in shown]
        is_split = may_split and room is not None and len(front) + _width(wide) > room
        for line in _lines([head[i] for i in shown], wide, is_split):
            self.line(front + self.strong(line))
        for (marks, _), row in zip(rows, cells, strict=True):
            first, *more = _lines([row[i] for i in shown], wide, is_split)
            self.line("".join(self.mark(mark) + " " for mark in marks) + first)
            for line in more:
                self.line(front + line)
        missing = [title for i, title in enumerate(head) if i not in shown]
        if missing:
            self.note(self.words("list.columns", names=", ".join(missing)))

    def _room(self) -> int | None:
        """Return the columns of the terminal; elsewhere what COLUMNS says, None where it says nothing: as wide as needed."""
        if self.is_terminal:
            return shutil.get_terminal_size().columns
        said = os.environ.get("COLUMNS", "")
        return int(said) if said.isascii() and said.isdigit() and int(said) > 0 else None


def _fitting(widths: Sequence[int], front: int, spare: Sequence[int], room: int | None) -> list[int]:
    """Return which columns fit into `room` once as many of `spare` are left out as must be."""
    shown = list(range(len(widths)))
    for column in spare:
        if room is None or front + _width([widths[i] for i in shown]) <= room:
            break
        shown.remove(column)
    return shown


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _lines(cells: Sequence[str], widths: Sequence[int], is_split: bool) -> list[str]:
    """Return a row as its line; or as two, the first cell alone on the first."""
    return [cells[0], "  " + _spread(cells[1:], widths[1:])] if is_split else [_spread(cells, widths)]


def _spread(cells: Sequence[str], widths: Sequence[int]) -> str:
    last = len(cells) - 1
    return "  ".join(cell if i == last else cell.ljust(widths[i]) for i, cell in enumerate(cells)).rstrip()
