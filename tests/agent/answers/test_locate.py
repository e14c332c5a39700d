"""Every key and value of a TOML text is found where it stands, however it is written."""

import contextlib
import tomllib
from datetime import date
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.answers.locate import Lost, Path, spans

BARE = st.text("abcXYZ019_-", min_size=1, max_size=6)
NAMES = st.one_of(BARE, st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=5))
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12),
    st.dates(date(1970, 1, 1)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
TABLES = st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(NAMES, VALUES, max_size=3)), max_size=4)
BLANKS = st.sampled_from(["", " ", "  \t"])
ENDS = st.sampled_from(["\n", "\r\n", "  # a remark = [1]\n", "\n\n# another\r\n"])


class Writer:
    """Writes values as TOML, each time in another of the ways there are."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def key(self, name: str) -> str:
        """A key, bare where it can be."""
        is_bare = bool(name) and all(one.isascii() and (one.isalnum() or one in "_-") for one in name)
        if is_bare and self.draw(st.booleans()):
            return name
        if "'" not in name and self.draw(st.booleans()):
            return f"'{name}'"
        return self.basic(name)

    def basic(self, text: str) -> str:
        """A text in double quotes."""
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def text(self, text: str) -> str:
        """A text in one of four ways."""
        ways = [self.basic(text)]
        if "'" not in text:
            ways += [f"'{text}'", f"'''\n{text}'''"]
        if '"' not in text and "\\" not in text:
            ways.append(f'"""{text}"""')
        return str(self.draw(st.sampled_from(ways)))

    def value(self, value: Any, inline: bool = False) -> str:
        """Any value."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, str):
            return self.text(value) if not inline else self.basic(value)
        if isinstance(value, list):
            gap = self.draw(BLANKS if inline else st.one_of(BLANKS, ENDS))
            return f"[{gap}" + f",{gap}".join(self.value(one, inline) for one in value) + f"{gap}]"
        if isinstance(value, dict):
            pairs = [f"{self.key(name)} = {self.value(one, True)}" for name, one in value.items()]
            return "{ " + ", ".join(pairs) + " }"
        return repr(value)

    def document(self, data: dict[str, Any]) -> str:
        """A whole text, dictionaries at the top sometimes as tables, lists of them as arrays of tables."""
        lines, tables = [], []
        for name, value in data.items():
            if isinstance(value, dict) and self.draw(st.booleans()):
                tables.append((f"[{self.draw(BLANKS)}{self.key(name)}]", value))
            elif value and isinstance(value, list) and all(isinstance(one, dict) for one in value):
                tables += [(f"[[{self.key(name)}]]", one) for one in value]
            else:
                lines.append(self.pair(name, value))
        for head, value in tables:
            lines.append(head + self.draw(ENDS))
            lines += [self.pair(name, one) for name, one in value.items()]
        return "".join(lines)

    def pair(self, name: str, value: Any) -> str:
        """A line or several."""
        gap = self.draw(BLANKS)
        return f"{gap}{self.key(name)}{gap}={gap}{self.value(value)}{self.draw(ENDS)}"


@st.composite
def documents(draw: Any) -> str:
    """A TOML text."""
    return Writer(draw).document(draw(TABLES))


def leaves(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    """Every value with its path, tables and lists too."""
    found = [(path, value)] if path else []
    if isinstance(value, dict):
        for name, one in value.items():
            found += leaves(one, (*path, name))
    if isinstance(value, list):
        for number, one in enumerate(value):
            found += leaves(one, (*path, number))
    return found


def agrees(text: str) -> None:
    """What stands at each place says what tomllib read there."""
    found = spans(text)
    for path, value in leaves(tomllib.loads(text)):
        if isinstance(value, dict):  # one that only keys with dots have made has no place of its own
            assert any(other[: len(path)] == path for other in found), (path, text)
            continue
        assert path in found, (path, text)
        if not (
            value and isinstance(value, list) and isinstance(value[0], dict)
        ):  # may be an array of tables
            span = found[path]
            assert tomllib.loads(f"v = {text[span.start : span.end]}")["v"] == value, (path, text)


@hypothesis.settings(max_examples=120, deadline=None)
@hypothesis.given(documents())
def test_every_value_stands_where_the_locator_says(text: str) -> None:
    agrees(text)


@pytest.mark.prove
@hypothesis.settings(max_examples=20_000, deadline=None)
@hypothesis.given(documents())
def test_every_value_stands_where_the_locator_says_at_length(text: str) -> None:
    agrees(text)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(st.text("ab.=[]{}\"'#,\n 1\\", max_size=40))
def test_any_text_is_read_or_the_locator_says_that_it_is_lost(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with contextlib.suppress(Lost, tomllib.TOMLDecodeError):
            spans(text)
    else:
        agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        'a.b.c = 1\na.b.d = """x\n"y"\n""""\n',
        "[[x]]\nn = 1\n[x.y]\nz = 2\n[[x]]\nn = 3\n[[x.w]]\nq = '''a'b'''\n",
        '"a b" = {c = [1, {d = "}"}], "e.f" = 2}\n',
        "t = 1979-05-27 07:32:00Z # when\n",
        "a = [\n  1, # one\n\n  2\n]\n",
    ],
)
def test_what_people_seldom_write_is_found_too(text: str) -> None:
    agrees(text)
