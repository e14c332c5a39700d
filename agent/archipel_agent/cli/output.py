"""What a command writes: plain text with marks that need no colour, tables, and JSON. Colour only where somebody looks.

Every command gets one `Screen`; answers go to standard output, remarks and progress to standard error.
"""

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TextIO

from archipel_contract import wire
from archipel_contract.findings import Finding, Fix, Severity


class Mark(Enum):
    """A sign and its colour (SGR code); readable without colour and on any console."""

    GOOD = ("+", "32")
    WARN = ("!", "33")
    BAD = ("x", "31")
    OPEN = ("?", "36")
    NOW = (">", "36")
    NONE = (" ", "0")


MARK_OF_SEVERITY = {
    Severity.HINT: Mark.OPEN,
    Severity.WARNING: Mark.WARN,
    Severity.PROBLEM: Mark.BAD,
    Severity.UNKNOWN: Mark.WARN,
}


def wants_color(choice: str, out: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to colour: as chosen, else on a terminal that is not dumb, unless NO_COLOR is set (no-color.org)."""
    if choice != "auto":
        return choice == "always"
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb" and out.isatty()


def language_of(choice: str | None, environment: Mapping[str, str]) -> str:
    """Return `en` or `de`: as chosen, else by ARCHIPEL_LANGUAGE, else by the locale's usual variables in their order."""
    if choice:
        return choice
    names = ("ARCHIPEL_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    said = next((value for name in names if (value := environment.get(name))), "")
    return "de" if said.lower().startswith("de") else "en"


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
        """Write columns as wide as their widest cell; the last one runs free. Cells may be coloured in column 0 only."""
        columns = max(map(len, rows), default=0)
        widths = [max(len(row[i]) for row in rows if len(row) > i) for i in range(columns)]
        for row in rows:
            cells = [cell.ljust(widths[i]) if i < len(row) - 1 else cell for i, cell in enumerate(row)]
            self.line((indent + "  ".join(cells)).rstrip())

    def brief(self, finding: Finding) -> None:
        """Write what a finding says and what to do, in two lines."""
        title, remedy = finding.summary, finding.next_step
        # The English words travel with the finding; the catalogue is opened only for others.
        if self.language != "en" or not title:
            from archipel_contract.catalogue import words

            text = words(finding, self.language)
            title, remedy = text.title, text.remedy
        self.line(f"{self.mark(MARK_OF_SEVERITY[finding.severity])} {self.strong(title)}  ({finding.code})")
        if remedy:
            self.line(f"  remedy    {remedy}")

    def finding(self, finding: Finding, *, full: bool = False) -> None:
        """Write a finding: what, why and what to do; `full` adds evidence and the steps of the runbook."""
        from archipel_contract.catalogue import words  # reads the catalogue, which few commands need

        text = words(finding, self.language)
        self.line(
            f"{self.mark(MARK_OF_SEVERITY[finding.severity])} {self.strong(text.title)}  ({finding.code})"
        )
        if full and finding.since:
            self.line(f"  since     {finding.since}")
        for number, evidence in enumerate(finding.evidence if full else ()):
            self.line(f"  {'evidence' if number == 0 else '':<8}  {evidence}")
        if text.cause:
            self.line(f"  cause     {text.cause}")
        if text.remedy:
            self.line(f"  remedy    {text.remedy}")
        for number, step in enumerate(text.runbook if full else (), 1):
            self.line(f"  {'steps' if number == 1 else '':<8}  {number}. {step}")
        if finding.fix:
            self.line(f"  fix       sudo archipel doctor --fix {finding.code}{price(finding.fix)}")

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
        color=wants_color(choice_color, sys.stdout, os.environ),
        language=language_of(choice_language, os.environ),
        as_json=as_json,
    )
