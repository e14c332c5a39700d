"""Lines of text measured in cells."""

from datetime import UTC, datetime

import pytest

from archipel_contract.catalogue.ui import Words
from archipel_tui import text

WORDS = Words("en")


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;aGk=\x1b\\x", "x"),
        ("bell\x07 null\x00", "bell? null?"),
        ("a\tb\r\nc", "a b  c"),
        ("\x9b31m", "?31m"),
        ("left\u202eright", "leftright"),
    ],
)
def test_foreign_text_cannot_steer_the_terminal(foreign: str, shown: str) -> None:
    assert text.clean(foreign) == shown


def test_wide_and_combining_characters_count_as_the_cells_they_take() -> None:
    assert text.width("abc") == 3
    assert text.width("日本") == 4
    assert text.width("e\u0301") == 1
    assert text.width(text.cut("日本語日本語", 7)) <= 7
    assert text.pad("日", 4) == "日  "


def test_wrapped_text_is_nowhere_wider_than_asked_and_loses_no_word() -> None:
    sentence = "The power supply of this box is too weak, use the one made for this board"
    for cells in range(8, 90):
        rows = text.wrap(sentence, cells)
        assert max(map(len, rows)) <= cells
        assert "".join(rows).replace(" ", "") == sentence.replace(" ", "")


def test_a_span_of_time_is_not_broken_across_rows_and_names_two_units() -> None:
    assert text.wrap("up " + text.duration(7_810, WORDS), 12) == ["up", "2 h 10 min"]
    assert [
        text.wrap(text.duration(seconds, WORDS), 40)[0] for seconds in (-1, 0, 59, 60, 86_400, 90_061)
    ] == [
        "0 s",
        "0 s",
        "59 s",
        "1 min",
        "1 d",
        "1 d 1 h",
    ]


def test_bars_stay_inside_their_width_for_every_figure() -> None:
    assert text.bar(50, 10) == "#####....."
    assert text.bar(-3, 4) == "...." and text.bar(250, 4) == "####"


def test_a_row_with_two_ends_keeps_the_right_one() -> None:
    row = text.spread([("a very long name of a box", "bar")], [(" 14:32 ", "bar")], 20, "bar")
    assert text.length(row) == 20
    assert "".join(piece for piece, _ in row).endswith(" 14:32 ")


def test_times_are_shown_in_the_zone_of_the_person_with_the_date_only_if_it_is_another_day() -> None:
    now = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    assert text.local_time("2026-01-02T03:04:05Z", now) == "03:04"
    assert text.local_time("2026-01-01T03:04:05+02:00", now) == "2026-01-01 01:04"
    assert text.local_time("", now) == text.local_time("yesterday", now) == ""


def test_sizes_are_readable() -> None:
    assert [text.size_of(count) for count in (0, 1023, 4 << 30, 29 << 30, 3 << 50)] == [
        "0 B",
        "1023 B",
        "4.0 GiB",
        "29 GiB",
        "3072 TiB",
    ]


def test_a_span_of_time_inside_a_sentence_can_be_read_where_there_is_only_ascii() -> None:
    words = Words("en", ascii_only=True)
    assert words("link.answered", time=text.duration(196, words)) == "last word 3 min 16 s ago"
