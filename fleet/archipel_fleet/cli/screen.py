"""What a command writes: plain text with marks that need no colour, tables, JSON. Colour only where somebody looks.

Answers go to standard output, remarks to standard error. Words about contact, health and ages are those of the pages.
"""

import os
import sys
from collections.abc import Sequence
from enum import Enum
from typing import Any

from archipel_contract import wire, wrapping
from archipel_contract.catalogue.web import Words
from archipel_contract.console import language_of, wants_color
from archipel_contract.findings import Severity
from archipel_contract.status import Health
from archipel_fleet.records import ContactState

LONGEST_LAST = 40  # cells that a table's last column claims; what is longer wraps


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

    def said(self, front: str, text: str) -> None:
        """Write `front` (maybe coloured) and a sentence from wherever beside it, in as many lines as the width asks for."""
        for line in wrapping.beside(front, plain(text), wrapping.room(self.is_terminal)):
            self.line(line)

    def titled(self, mark: Mark, title: str, code: str) -> None:
        """Write what was found, set off behind its mark, and its code."""
        whole = f"{plain(title)}  ({plain(code)})"
        lines = wrapping.beside("  ", whole, wrapping.room(self.is_terminal))
        strong = [self.strong(plain(title)) + whole[len(plain(title)) :]]
        if len(lines) > 1:
            strong = [self.strong(line[2:]) for line in lines]
        for number, line in enumerate(strong):
            self.line(f"{' ' if number else self.mark(mark)} {line}")

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
        """Write columns as wide as their widest cell, the last one wraps; each row has marks in front, then its cells.

        Where there is not room for all (on a terminal; elsewhere only as COLUMNS says) the columns in `spare` are left out,
        the first of them first, and named below. Where that does not do, and the table `may_split`, the first cell of each
        row gets a line of its own; then each cell.
        """
        if not rows:
            self.line(self.words("list.nothing"))
            return
        cells = [tuple(map(plain, row)) for _, row in rows]
        marked = max((len(marks) for marks, _ in rows), default=0)
        widths = [max([len(title), *(len(row[i]) for row in cells)]) for i, title in enumerate(head)]
        widths[-1] = min(widths[-1], LONGEST_LAST)
        front = " " * (marked * 2)
        room = wrapping.room(self.is_terminal)
        shown = _fitting(widths, len(front), spare, room)
        wide = [widths[i] for i in shown]
        alone = _alone(wide, len(front), room) if may_split else 0
        for line in _lines([head[i] for i in shown], wide, alone, front, room):
            self.line(front + self.strong(line[len(front) :]))
        for (marks, _), row in zip(rows, cells, strict=True):
            first, *more = _lines([row[i] for i in shown], wide, alone, front, room)
            self.line("".join(self.mark(mark) + " " for mark in marks) + first[len(front) :])
            for line in more:
                self.line(line)
        missing = [title for i, title in enumerate(head) if i not in shown]
        if missing:
            self.note(self.words("list.columns", names=", ".join(missing)))


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


def _alone(widths: Sequence[int], front: int, room: int | None) -> int:
    """Return how many cells of a row get a line of their own: none, the first, or all but the last."""
    if room is None or front + _width(widths) <= room:
        return 0
    rest = [*widths[1:-1], min(widths[-1], wrapping.NARROW)]
    return 1 if front + 2 + _width(rest) <= room else len(widths) - 1


def _lines(
    cells: Sequence[str], widths: Sequence[int], alone: int, front: str, room: int | None
) -> list[str]:
    """Return a row as its lines, `alone` of its cells on one each."""
    lines = [
        front + "  " * (number > 0) + cell for number, cell in enumerate(cells[:alone]) if cell or not number
    ]
    start = front + ("  " if alone else "")
    start += "".join(cell.ljust(widths[alone + i]) + "  " for i, cell in enumerate(cells[alone:-1]))
    if cells[-1] or not alone or start.strip():
        lines += wrapping.beside(start, cells[-1], room)
    return [line.rstrip() for line in lines]
