"""Where each key and value stands in a TOML text that `tomllib` has already read without complaint. Pure.

tomllib gives values without places, and no maintained library gives both with every error; so this reads the text once more,
only as far as needed to tell where things begin and end. It judges nothing: text that is not TOML may raise Lost. Names of
tables, the grammar and the escapes are those of TOML 1.0.
"""

import re
import tomllib
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

BLANK = re.compile(r"[ \t]*")
SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
BARE = re.compile(r"[A-Za-z0-9_-]+")
BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
LITERAL = re.compile(r"'[^'\n]*'")
# Up to two quotes may stand right before the three that end a text of several lines (TOML 1.0, "String").
LONG_BASIC = re.compile(r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}')
LONG_LITERAL = re.compile(r"'''(?:[^']|'(?!''))*'{3,5}")
PLAIN = re.compile(r"[^,\]}#\r\n]*[^,\]}#\r\n \t]")  # number, date, time, true or false
TEXTS = (LONG_BASIC, LONG_LITERAL, BASIC, LITERAL)


class Lost(ValueError):
    """The text is not what tomllib would read."""


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of characters: where the key begins, and where its value begins and ends."""

    key: int
    start: int
    end: int


@dataclass(slots=True)
class _Reader:
    """Reads once from start to end."""

    text: str
    at: int = 0
    spans: dict[Path, Span] = field(default_factory=dict)
    counts: dict[Path, int] = field(default_factory=dict)  # of the tables in an array of tables

    def document(self) -> None:
        """Read all of it."""
        table: Path = ()
        self.skip(SPACE)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(SPACE)

    def header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]` and return the path of what follows."""
        start = self.at
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        path = self.resolved(self.key())
        self.take("]]" if is_array else "]")
        if is_array:
            number = self.counts[path] = self.counts.get(path, -1) + 1
            self.spans.setdefault(path, Span(start, start, self.at))
            path = (*path, number)
        self.spans[path] = Span(start, start, self.at)
        return path

    def resolved(self, path: Path) -> Path:
        """Return where a header's name leads: below an array of tables, to its last one so far."""
        found: Path = ()
        for part in path[:-1]:
            found = (*found, part)
            if found in self.counts:
                found = (*found, self.counts[found])
        return (*found, path[-1])

    def pair(self, table: Path) -> None:
        """Read `key = value`."""
        start = self.at
        path = (*table, *self.key())
        self.take("=")
        self.skip(BLANK)
        begins = self.at
        self.value(path)
        self.spans[path] = Span(start, begins, self.at)

    def key(self) -> Path:
        """Read a key with dots between its parts."""
        parts: list[str | int] = []
        while True:
            self.skip(BLANK)
            parts.append(self.part())
            self.skip(BLANK)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def part(self) -> str:
        """Read one part of a key."""
        for pattern in (BARE, BASIC, LITERAL):
            found = pattern.match(self.text, self.at)
            if found:
                self.at = found.end()
                if pattern is BARE:
                    return found[0]
                return str(tomllib.loads(f"v = {found[0]}")["v"])
        raise Lost(f"no key at {self.at}")

    def value(self, path: Path) -> None:
        """Read a value; those inside it get their own places."""
        first = self.text[self.at : self.at + 1]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline(path)
        else:
            for pattern in TEXTS if first in ('"', "'") else (PLAIN,):
                found = pattern.match(self.text, self.at)
                if found:
                    self.at = found.end()
                    return
            raise Lost(f"no value at {self.at}")

    def array(self, path: Path) -> None:
        """Read `[a, b]`."""
        self.take("[")
        number = 0
        self.skip(SPACE)
        while not self.text.startswith("]", self.at):
            start = self.at
            self.value((*path, number))
            self.spans[(*path, number)] = Span(start, start, self.at)
            number += 1
            self.skip(SPACE)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.skip(SPACE)
            elif not self.text.startswith("]", self.at):
                raise Lost(f"no end of the list at {self.at}")
        self.take("]")

    def inline(self, path: Path) -> None:
        """Read `{ a = 1 }`."""
        self.take("{")
        self.skip(SPACE)
        while not self.text.startswith("}", self.at):
            self.pair(path)
            self.skip(SPACE)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.skip(SPACE)
            elif not self.text.startswith("}", self.at):
                raise Lost(f"no end of the table at {self.at}")
        self.take("}")

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Pass over blanks, and over comments and line ends where the pattern does."""
        found = pattern.match(self.text, self.at)
        assert found is not None  # both patterns match the empty text
        self.at = found.end()

    def take(self, sign: str) -> None:
        """Read just this."""
        if not self.text.startswith(sign, self.at):
            raise Lost(f"no {sign} at {self.at}")
        self.at += len(sign)


def spans(text: str) -> dict[Path, Span]:
    """Return where each key and value of a TOML text stands, by its path; a number in a path counts an array's values.

    Raises Lost for what is no TOML, and RecursionError for what is nested as deep as tomllib refuses as well.
    """
    reader = _Reader(text)
    reader.document()
    return reader.spans
