"""Sentences in lines of a given width."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archipel_contract.wrapping import NARROW, beside, room, wrap

WHY = "The interface in k3s' settings is missing: sudo archipel repair flannel-interface-missing"
WORDS = st.lists(st.text("abcdefg-", min_size=1, max_size=9), max_size=30).map(" ".join)


@settings(max_examples=60)
@given(WORDS, st.integers(10, 90))
def test_no_word_is_lost_and_no_line_is_too_long(text: str, cells: int) -> None:
    lines = wrap(text, cells)
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= cells for line in lines)


@settings(max_examples=60)
@given(WORDS, st.integers(1, 30), st.integers(20, 90))
def test_what_stands_beside_a_label_keeps_its_column_and_stays_inside(
    text: str, column: int, cells: int
) -> None:
    front = "x" * column
    lines = beside(front, text, cells)
    assert all(len(line) <= max(cells, column) for line in lines)
    if cells - column >= NARROW:
        assert all(line.startswith(" " * column) for line in lines[1:])


def test_a_command_at_the_end_is_kept_whole_so_that_it_can_be_copied() -> None:
    assert wrap(WHY, 60)[-1] == "sudo archipel repair flannel-interface-missing"
    assert len(wrap(WHY, 30)) > 3, "where it fits no line it is broken like everything else"


def test_colour_takes_no_room() -> None:
    coloured = beside("\033[31mx\033[0m ", "one two three four five", 20)
    assert [line.replace("\033[31mx\033[0m", "x") for line in coloured] == beside(
        "x ", "one two three four five", 20
    )


def test_beside_a_label_that_leaves_no_room_the_sentence_stands_below() -> None:
    assert beside("a label of some width  ", "one two three", 30) == [
        "a label of some width",
        "    one two three",
    ]


def test_words_that_would_be_cut_into_pieces_beside_a_label_stand_below_it() -> None:
    assert beside("x" * 20, "job=j-rp30s25jctrdtcde began", 36) == [
        "x" * 20,
        "    job=j-rp30s25jctrdtcde began",
    ]


@pytest.mark.parametrize(("said", "cells"), [("40", 40), ("", None), ("0", None), ("wide", None)])
def test_in_a_pipe_only_columns_says_how_wide(
    monkeypatch: pytest.MonkeyPatch, said: str, cells: int | None
) -> None:
    monkeypatch.setenv("COLUMNS", said)
    assert room(is_terminal=False) == cells


def test_without_a_width_everything_is_one_line() -> None:
    assert beside("  cause     ", WHY, None) == [f"  cause     {WHY}"]
