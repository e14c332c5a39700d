"""What a command writes: plain text with marks that need no colour, tables, and JSON. Colour only where somebody looks.

Every command gets one `Screen`; answers go to standard output, remarks and progress to standard error.
"""

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TextIO

from archipel_contract import wire
from archipel_contract.console import language_of, wants_color
from archipel_contract.findings import Finding, Fix, Severity


class Mark(Enum):
    """A sign and its colour (SGR code); readable without colour and on any console."""

    GOOD = ("+", "32")
    WARN = ("!", "33")
    BAD = ("x", "31")
    OPEN = ("?", "36")
    NOW = (">", "36")
    NONE = (" ", "0")


COLOR_CHOICES: Mapping[str, bool | None] = {"auto": None, "always": True, "never": False}
MARK_OF_SEVERITY = {
    Severity.HINT: Mark.OPEN,
    Severity.WARNING: Mark.WARN,
    Severity.PROBLEM: Mark.BAD,
    Severity.UNKNOWN: Mark.WARN,
}


class Screen:
    """Where a command writes."""

    def __init__(self, out: TextIO, err: TextIO, *, color: bool, language: str, as_json: bool) -> None:
        self.out = out
        self.err = err
        self.color = color
        self.language = language
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """Write a line of the answer."""
        print(text, file=self.out, flush=True)

    def said(self, front: str, text: str) -> None:
        """Write `front` (maybe coloured) and a sentence beside it, in as many lines as the terminal asks for."""
        for line in self._beside(front, text):
            self.line(line.rstrip())

    def _beside(self, front: str, text: str) -> list[str]:
        from archipel_contract import wrapping  # for people only: the running agent does without it

        return wrapping.beside(front, text, wrapping.room(self.out.isatty() and not self.as_json))

    def note(self, text: str) -> None:
        """Write a remark, which is not part of the answer."""
        print(text, file=self.err, flush=True)

    def data(self, value: Any) -> None:
        """Write the answer as one line of JSON."""
        self.line(wire.to_json(value).decode())

    def mark(self, mark: Mark) -> str:
        """Return a mark, coloured if wanted."""
        sign, color = mark.value
        return f"\033[{color}m{sign}\033[0m" if self.color and mark is not Mark.NONE else sign

    def strong(self, text: str) -> str:
        """Return a text set off from its surroundings, if there is colour."""
        return f"\033[1m{text}\033[0m" if self.color else text

    def table(self, rows: Sequence[Sequence[str]], indent: str = "  ") -> None:
        """Write columns as wide as their widest cell; the last one wraps. Cells may be coloured in column 0 only."""
        columns = max(map(len, rows), default=0)
        widths = [max(len(row[i]) for row in rows if len(row) > i) for i in range(columns)]
        for row in rows:
            front = "".join(cell.ljust(widths[i]) + "  " for i, cell in enumerate(row[:-1]))
            self.said(indent + front, row[-1] if row else "")

    def brief(self, finding: Finding) -> None:
        """Write what a finding says and what to do, in two lines."""
        title, remedy = finding.summary, finding.next_step
        # The English words travel with the finding; the catalogue is opened only for others.
        if self.language != "en" or not title:
            from archipel_contract.catalogue import words

            text = words(finding, self.language)
            title, remedy = text.title, text.remedy
        self._titled(finding, title)
        if remedy:
            self.said(self._label("remedy"), remedy)

    def finding(self, finding: Finding, *, full: bool = False) -> None:
        """Write a finding: what, why and what to do; `full` adds evidence and the steps of the runbook."""
        from archipel_contract.catalogue import words  # reads the catalogue, which few commands need

        text = words(finding, self.language)
        self._titled(finding, text.title)
        parts = [("since", finding.since), *(("evidence", one) for one in finding.evidence)] if full else []
        parts += [("cause", text.cause), ("remedy", text.remedy)]
        if full:
            parts += [("steps", f"{number}. {step}") for number, step in enumerate(text.runbook, 1)]
        if finding.fix:
            parts.append(("fix", f"sudo archipel doctor --fix {finding.code}{price(finding.fix)}"))
        before = ""
        for word, said in parts:
            if said:
                self.said(self._label(word if word != before else ""), said)
                before = word

    def _titled(self, finding: Finding, title: str) -> None:
        """Write what was found, set off behind its mark, and its code."""
        lines = self._beside("  ", f"{title}  ({finding.code})")
        strong = [f"{self.strong(title)}  ({finding.code})"]
        if len(lines) > 1:
            strong = [self.strong(line[2:]) for line in lines]
        for number, line in enumerate(strong):
            self.line(f"{' ' if number else self.mark(MARK_OF_SEVERITY[finding.severity])} {line}")

    def _label(self, word: str) -> str:
        """Return what stands in front of a part of a finding, in the finding's language; all are as wide as the widest."""
        if word and self.language != "en":
            from archipel_contract.catalogue.ui import Words

            word = Words(self.language)(f"part.{word}")
        return f"  {word:<8}  "

    def remark(self, finding: Finding) -> None:
        """Write a finding to standard error, for an answer that is JSON or that failed."""
        to_error = Screen(self.err, self.err, color=self.color, language=self.language, as_json=self.as_json)
        to_error.finding(finding)


def price(fix: Fix) -> str:
    """Return what a repair costs, in brackets to stand behind its name; empty if it costs nothing."""
    parts = ["restarts k3s"] if fix.restarts else []
    if fix.usual_seconds:
        parts.append(f"about {duration(fix.usual_seconds)}")
    if fix.reboots:
        parts.append("takes effect at the next restart of the machine")
    return f"   ({', '.join(parts)})" if parts else ""


def duration(seconds: float) -> str:
    """Return a duration for people: `0:07`, `12:03`, `3 h 12 min`, `12 d 4 h`."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return f"{days} d {hours_left} h"
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes}:{rest:02d}"


def size(count: int | None) -> str:
    """Return bytes for people, in binary units: `3.9 GiB`; `?` when not known."""
    if count is None:
        return "?"
    amount, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit in ("B", "KiB", "MiB") else f"{amount:.1f} {unit}"


def standard(choice_color: str, choice_language: str | None, as_json: bool) -> Screen:
    """Return the screen of this process."""
    import sys

    return Screen(
        sys.stdout,
        sys.stderr,
        color=wants_color(COLOR_CHOICES[choice_color], sys.stdout, os.environ),
        language=language_of(choice_language, os.environ),
        as_json=as_json,
    )
