"""Reads an answer file: every mistake at once, each with line and column, and what the file says if there is none. Pure.

Mistakes are findings of the catalogue, so that they have their words in every language. A line that is no TOML is left out
and the rest looked at all the same, as long as the rest can be read without it.
"""

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from archipel_agent.answers import schema
from archipel_agent.answers.locate import Lost, Path, Span, spans
from archipel_agent.answers.schema import FIELDS, FORMAT, TABLES, Field, Kind, Value
from archipel_agent.answers.text import MOST, Place, Text, decoded
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

USED = re.compile(r"used \d{4}-\d\d-\d\d, removed by archipel")
PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
STATEMENT = re.compile(r"\s*[A-Za-z0-9_.-]+\s*=\s*(?!\[|\{|\"\"\"|''')\S")
MOST_MISTAKES = 20
SHOWN = 60  # characters of a wrong value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of one file. `values` are empty where there are mistakes; their keys are those of the schema."""

    file: str
    sha256: str
    text: Text
    values: Mapping[str, Value] = field(default_factory=dict)
    places: Mapping[str, Span] = field(default_factory=dict)  # of the keys in `values` and of those used up
    used: tuple[str, ...] = ()  # keys whose secrets have been blanked: they hold as they were
    mistakes: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()

    @property
    def secrets(self) -> tuple[Span, ...]:
        """Where values stand that nobody may read in this file once they are used."""
        named = ((FIELDS[key], value) for key, value in self.values.items())
        return tuple(self.places[one.key] for one, value in named if is_secret(one, value))

    def blanked(self, day: date) -> bytes:
        """Return the file's bytes with each secret replaced by a remark with the date, and every other byte as it was."""
        instead = f'"used {day:%Y-%m-%d}, removed by archipel"'
        return self.text.with_replaced([(one.start, one.end) for one in self.secrets], instead)

    @property
    def shown(self) -> dict[str, str]:
        """The values for people, secrets hidden."""
        return {key: hidden(FIELDS[key], value) for key, value in self.values.items()}


def is_secret(one: Field, value: Value) -> bool:
    """Whether this value is for nobody's eyes: an address without a token, or without a password, is not."""
    if not one.is_secret or not value:
        return False
    return {"fleet.link": "#", "fleet.proxy": "@"}.get(one.key, "") in str(value)


def hidden(one: Field, value: Value) -> str:
    """Return a value for people."""
    if is_secret(one, value):
        return "***"
    return (
        ", ".join(value)
        if isinstance(value, list)
        else str(value).lower()
        if value in (True, False)
        else str(value)
    )


def digest(data: bytes) -> str:
    """Return what tells two answer files apart."""
    return hashlib.sha256(data).hexdigest()


def read(file: str, data: bytes) -> Reading:
    """Read the bytes of `file`, of which only the name is used."""
    sha256 = digest(data)
    if len(data) > MOST:
        size = finding("answers-too-large", file=file, most=f"{MOST >> 10} KiB")
        return Reading(file=file, sha256=sha256, text=Text(text=""), mistakes=(size,))
    text = decoded(data)
    made = _Reading(file, text)
    made.all()
    odd = (finding("answers-encoding", file=file, encoding=text.odd),) if text.odd else ()
    return Reading(
        file=file,
        sha256=sha256,
        text=text,
        values={} if made.mistakes else made.values,
        places=made.places,
        used=tuple(sorted(made.used)),
        mistakes=tuple(made.mistakes[:MOST_MISTAKES]),
        remarks=odd,
    )


class _Reading:
    """The reading of one text."""

    def __init__(self, file: str, text: Text) -> None:
        self.file, self.text = file, text
        self.mistakes: list[Finding] = []
        self.values: dict[str, Value] = {}
        self.places: dict[str, Span] = {}
        self._spans: dict[Path, Span] = {}
        self.used: set[str] = set()

    def all(self) -> None:
        """Look at everything."""
        for one in self.text.bad:
            self._add("answers-not-text", one.place, byte=f"0x{one.byte:02x}")
        if any(one.byte == 0 for one in self.text.bad):
            return  # UTF-16 without its mark, or no text at all: every line would be one more
        if not self.text.text.strip():
            self.mistakes.append(finding("answers-empty", file=self.file))
            return
        data = self._parsed()
        if data is not None:
            self._format(data)
            self._tables(data)
            self._together()
        self.mistakes.sort(
            key=lambda one: (int(one.params.get("line", "0")), int(one.params.get("column", "0")))
        )

    # --- TOML --------------------------------------------------------------------------------------------------------

    def _parsed(self) -> dict[str, object] | None:
        """Return what the text says, without the lines that cannot be read; None where not even that can be had."""
        text, data = self._without_bad_lines()
        try:
            data = tomllib.loads(text) if data is None else data
            self._spans = spans(text)
        except tomllib.TOMLDecodeError as error:
            if not self.mistakes:
                self._syntax(error, text)
            return None
        except (Lost, RecursionError, ValueError):  # a number of more than 4,300 digits is a ValueError, too
            self._add("answers-syntax", Place(line=1, column=1), problem="nested too deeply, or too large")
            return None
        return data

    def _without_bad_lines(self) -> tuple[str, dict[str, object] | None]:
        """Return the text with every statement emptied that is wrong by itself, and what it says if nothing had to be."""
        text = self.text.text
        try:
            return text, tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            pass
        except (RecursionError, ValueError):
            return text, None
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if not STATEMENT.match(line):
                continue
            try:
                tomllib.loads(line.rstrip("\r"))
            except tomllib.TOMLDecodeError as error:
                found = PLACE.search(str(error))
                column = int(found[2]) if found else len(line.rstrip("\r")) + 1
                self._add("answers-syntax", Place(line=number + 1, column=column), problem=_said(error))
                lines[number] = " " * len(line)
            except ValueError:
                continue
        return "\n".join(lines), None

    def _syntax(self, error: tomllib.TOMLDecodeError, text: str) -> None:
        found = PLACE.search(str(error))
        at = self.text.place(len(text.rstrip()))
        if found:
            at = Place(line=int(found[1]), column=int(found[2]))
        self._add("answers-syntax", at, problem=_said(error))

    # --- what it says ------------------------------------------------------------------------------------------------

    def _format(self, data: dict[str, object]) -> None:
        if "format" not in data:
            self._missing("format", f"format = {FORMAT}")
            return
        number = data["format"]
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            self._wrong(("format",), "format", number, f"format = {FORMAT}")
        elif number > FORMAT:
            self._add("answers-format-newer", self._at(("format",)), format=str(number), known=str(FORMAT))

    def _tables(self, data: dict[str, object]) -> None:
        for name, value in data.items():
            if name == "format":
                continue
            if name not in TABLES or not _fields(name):
                known = ["format", *(one for one in TABLES if _fields(one))]
                self._unknown((name,), name, known)
            elif not isinstance(value, dict):
                self._wrong((name,), name, value, f"[{name}]")
            else:
                self._table(name, value)

    def _table(self, table: str, data: dict[str, object]) -> None:
        known = {one.name: one for one in _fields(table)}
        for name, value in data.items():
            path = (table, name)
            if name not in known:
                self._unknown(path, f"{table}.{name}", list(known))
                continue
            one = known[name]
            self.places[one.key] = self._spans.get(path, Span(0, 0, 0))
            if one.is_secret and isinstance(value, str) and USED.fullmatch(value):
                self.used.add(one.key)
            elif not schema.is_right(one, value):
                self._wrong(path, one.key, "***" if _hides(one, value) else value, _example(one))
            else:
                self.values[one.key] = _plain(one, value)

    def _together(self) -> None:
        """Look at keys that only make sense with others."""
        link, token = self.values.get("fleet.link"), self.values.get("fleet.token")
        if token and not link and "fleet.link" not in self.used:
            self._missing("fleet.link", FIELDS["fleet.link"].shown)
        if token and "#" in str(link):
            self._wrong(("fleet", "token"), "fleet.token", "***", FIELDS["fleet.link"].shown)

    # --- mistakes ----------------------------------------------------------------------------------------------------

    def _unknown(self, path: Path, key: str, known: list[str]) -> None:
        near = difflib.get_close_matches(str(path[-1]), known, 1, 0.0) or known
        self._add("answers-key-unknown", self._at(path), key=key, near=near[0], known=", ".join(known))

    def _wrong(self, path: Path, key: str, value: object, example: str) -> None:
        at = self._at(path, of_value=True)
        self._add("answers-value-wrong", at, key=key, value=_short(value), example=example)

    def _missing(self, key: str, example: str) -> None:
        self.mistakes.append(finding("answers-key-missing", file=self.file, key=key, example=example))

    def _at(self, path: Path, of_value: bool = False) -> Place:
        """Return where a key or its value stands; a table made by keys with dots is where the first of them is."""
        found = self._spans.get(path)
        if found is None:
            inside = [span.key for other, span in self._spans.items() if other[: len(path)] == path]
            return self.text.place(min(inside, default=0))
        return self.text.place(found.start if of_value else found.key)

    def _add(self, code: str, at: Place, **params: str) -> None:
        self.mistakes.append(
            finding(code, (), None, file=self.file, line=str(at.line), column=str(at.column), **params)
        )


def _fields(table: str) -> Iterator[Field] | list[Field]:
    return [one for one in FIELDS.values() if one.table == table]


def _example(one: Field) -> str:
    if not one.choices:
        return one.shown
    return f"{one.name} = {one.example}  ({' | '.join(one.choices)})"


def _hides(one: Field, value: object) -> bool:
    """Whether even a wrong value may be a secret: a token that was mistyped is nearly one."""
    return one.is_secret and (one.key != "fleet.proxy" or "@" in str(value))


def _short(value: object) -> str:
    text = (
        repr(value)
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _said(error: tomllib.TOMLDecodeError) -> str:
    """Return what tomllib says, without the place."""
    return re.sub(r"\s*\(at [^)]*\)", "", str(error))[:200]


def _plain(one: Field, value: object) -> Value:
    if one.kind is Kind.MOMENT:
        return schema.moment(value).isoformat()
    assert isinstance(value, str | bool | int | float | list)  # the schema has looked at it
    return value
