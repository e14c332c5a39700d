"""An answer file is read as it was meant, or every mistake in it is named with its place, in both languages."""

from collections.abc import Callable
from datetime import date

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.answers.reading import Reading, read
from archipel_agent.answers.schema import FIELDS, OWN
from archipel_agent.answers.template import template
from archipel_agent.answers.text import MOST
from archipel_agent.steps.options import parse
from archipel_contract.catalogue import words
from archipel_contract.jobs import Verb

TOKEN_TEXT = "7k2m9qxf.00001111222233334444555566.6666777788889999aaaabbbbcc"
FILE = "/boot/firmware/archipel.toml"
LINK = f"https://fleet.example:8471/#{TOKEN_TEXT}"


def reading(text: str) -> Reading:
    """What came of a text."""
    return read(FILE, text.encode())


def places(of: Reading) -> list[tuple[str, str, str]]:
    """Code, line and column of each mistake."""
    return [
        (one.code.removeprefix("answers-"), one.params.get("line", ""), one.params.get("column", ""))
        for one in of.mistakes
    ]


def test_what_a_file_says_is_what_comes_of_it() -> None:
    said = reading('format = 1\n[site]\nname = "Hall 3"\nstart = false\n[fleet]\nlink_every_hours = 6\n')
    assert said.mistakes == ()
    assert said.values == {"site.name": "Hall 3", "site.start": False, "fleet.link_every_hours": 6}


def test_every_mistake_is_named_at_once_with_line_and_column() -> None:
    text = """format = 1
[site]
name = "Hall 3
nam = "x"
node_ip = "300.1.1.1"
  components = ["traefk"]
[fleet]
link_mode = 3
[remot]
allowed = true
"""
    assert places(reading(text)) == [
        ("syntax", "3", "15"),
        ("key-unknown", "4", "1"),
        ("value-wrong", "5", "11"),
        ("value-wrong", "6", "16"),
        ("value-wrong", "8", "13"),
        ("key-unknown", "9", "1"),
    ]
    assert reading(text).values == {}


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", [("empty", "", "")]),
        (" \r\n\n", [("empty", "", "")]),
        ("[site]\n", [("key-missing", "", "")]),
        ('format = "1"\n', [("value-wrong", "1", "10")]),
        ("format = 2\n", [("format-newer", "1", "1")]),
        ("format = 1\nsite = 3\n", [("value-wrong", "2", "8")]),
        ("format = 1\n[site\nname = 'x'\n", [("syntax", "2", "6")]),
        ("format = 1\nsite.name = 5\n", [("value-wrong", "2", "13")]),
        ("format = 1\nsite = { nam = 'x' }\n", [("key-unknown", "2", "10")]),
        ("format = 1\n[site]\nname = 'a'\nname = 'b'\n", [("syntax", "4", "11")]),
        ("format = 1\n[fleet]\ntoken = 'x'\n", [("value-wrong", "3", "9")]),
        ("format = 1\nx = " + "[" * 5000, [("syntax", "1", "1")]),
        ("format = " + "9" * 5000, [("syntax", "1", "1")]),
        ("format = 1\n[time]\nnot_before = 1970-01-01\n", [("value-wrong", "3", "14")]),
        ("format = 1\n[remote]\nverbs = ['reboot']\n", [("value-wrong", "3", "9")]),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, mistakes: list[tuple[str, str, str]]) -> None:
    assert places(reading(text)) == mistakes


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    [mistake] = reading("format = 1\n[site]\npod_netwrk = '10.42.0.0/16'\n").mistakes
    assert mistake.params["near"] == "pod_network"


def test_a_token_without_a_place_to_enrol_says_what_is_missing() -> None:
    [mistake] = reading(f"format = 1\n[fleet]\ntoken = '{TOKEN_TEXT}'\n").mistakes
    assert (mistake.code, mistake.params["key"]) == ("answers-key-missing", "fleet.link")
    [twice] = reading(f"format = 1\n[fleet]\nlink = '{LINK}'\ntoken = '{TOKEN_TEXT}'\n").mistakes
    assert twice.params["key"] == "fleet.token"


def test_what_is_wrong_about_a_secret_does_not_show_it() -> None:
    [mistake] = reading(f"format = 1\n[fleet]\ntoken = '{TOKEN_TEXT}.x'\nlink = 'https://f'\n").mistakes
    assert TOKEN_TEXT[:20] not in str(mistake)


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_mistake_has_words_and_a_remedy_with_a_command(language: str) -> None:
    for text in ("", "format = 9\n", "x = \n", "format = 1\n[sit]\n", "format = 1\n[site]\nname = 1\n"):
        for one in reading(text).mistakes:
            said = words(one, language)
            assert "?" not in said.title + said.cause
            assert "archipel " in said.remedy


TEXT = 'format = 1\r\n[site]\r\nname = "Süd"\r\n'


@pytest.mark.parametrize(
    ("encoded", "odd"),
    [
        (TEXT.encode(), ""),
        (b"\xef\xbb\xbf" + TEXT.encode(), "UTF-8 with a byte order mark"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "UTF-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16"),
    ],
)
def test_a_file_from_windows_is_read_and_remarked_on(encoded: bytes, odd: str) -> None:
    said = read(FILE, encoded)
    assert (said.values, said.mistakes) == ({"site.name": "Süd"}, ())
    assert [one.params["encoding"] for one in said.remarks] == ([odd] if odd else [])


def test_latin_1_is_refused_with_its_place_and_the_rest_is_looked_at_all_the_same() -> None:
    said = read(FILE, 'format = 1\n[site]\nname = "Süd"\nnodename = "x"\n'.encode("latin-1"))
    assert places(said) == [("not-text", "3", "10"), ("key-unknown", "4", "1")]
    assert said.mistakes[0].params["byte"] == "0xfc"


@pytest.mark.parametrize("data", [b"format = 1\n\0\0\0\n", "format = 1".encode("utf-16-le"), bytes(4096)])
def test_bytes_that_are_zero_are_named(data: bytes) -> None:
    assert [code for code, _, _ in places(read(FILE, data))] == ["not-text"]


def test_a_huge_file_is_refused_without_being_read() -> None:
    assert [one.code for one in read(FILE, b"#" * (MOST + 1)).mistakes] == ["answers-too-large"]


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_end_in_values_or_mistakes_and_never_in_both(data: bytes) -> None:
    said = read(FILE, data)
    assert not (said.values and said.mistakes)
    assert said.mistakes or said.text.text.strip()


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(at=st.integers(0, 2000), junk=st.sampled_from(list("\"'[]{}=#.,\n\0\\é")))
def test_a_template_with_one_character_changed_is_still_read_or_refused(at: int, junk: str) -> None:
    text = filled()
    at %= len(text)
    said = reading(text[:at] + junk + text[at + 1 :])
    assert said.values or said.mistakes


def filled() -> str:
    """The template with everything in it said."""
    lines = []
    for line in template().splitlines():
        name = line.removeprefix("# ").partition(" = ")[0]
        is_key = line.startswith("# ") and any(one.name == name for one in FIELDS.values())
        lines.append(line[2:] if is_key else line)
    return "\n".join(lines)


def test_the_template_has_no_mistake_and_neither_has_any_line_of_it() -> None:
    assert reading(template()).mistakes == ()
    said = reading(filled())
    assert said.mistakes == ()
    assert set(said.values) == set(FIELDS)


def test_what_the_file_takes_for_up_the_job_takes_too() -> None:
    said = reading(filled())
    for one in OWN:
        if one.option:
            parse(Verb.UP, {one.option: said.values[one.key]})


SECRET: list[tuple[str, Callable[[str], str]]] = [
    ("double quotes", lambda line: f'format = 1\n[fleet]\nlink = "{line}" # keep me\nproxy = "http://p:1"\n'),
    ("single quotes", lambda line: f"format = 1\r\n[fleet]\r\nlink='{line}'\r\n"),
    (
        "a table in one line",
        lambda line: f'format = 1\nfleet = {{ link = "{line}", link_mode = "dial-in" }}\n',
    ),
    ("several lines", lambda line: f"format = 1\n[fleet]\nlink = '''{line}'''\n# end"),
]


@pytest.mark.parametrize("write", [one for _, one in SECRET], ids=[name for name, _ in SECRET])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_blanked_secret_is_gone_and_every_other_byte_as_it_was(
    write: Callable[[str], str], encoding: str
) -> None:
    before = read(FILE, write(LINK).encode(encoding))
    assert before.mistakes == ()
    after = before.blanked(date(2026, 11, 22))
    assert TOKEN_TEXT.encode(encoding)[2:] not in after
    text = after.decode(encoding)
    remark = '"used 2026-11-22, removed by archipel"'
    assert text == write("\0").replace('"\0"', remark).replace("'''\0'''", remark).replace("'\0'", remark)
    again = read(FILE, after)
    assert again.mistakes == ()
    assert "fleet.link" not in again.values
    assert again.secrets == ()


def test_an_address_without_a_token_is_no_secret() -> None:
    said = reading('format = 1\n[fleet]\nlink = "https://fleet.example:8471"\nproxy = "http://p:3128"\n')
    assert said.secrets == ()
    assert said.shown["fleet.link"] == "https://fleet.example:8471"
    assert reading('format = 1\n[fleet]\nproxy = "http://me:pw@p:3128"\n').shown["fleet.proxy"] == "***"
