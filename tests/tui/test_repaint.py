"""What is left out of the bytes sent must not be missed on the screen."""

import pyte
from hypothesis import given
from hypothesis import strategies as st

from archipel_tui.repaint import Repaint

COLUMNS, ROWS = 20, 5
STYLES = ["", "1", "7", "31", "30;46", "39;49", "1;39;49", "38;5;49"]

piece = st.tuples(st.sampled_from(STYLES), st.text(alphabet="ab #日\u00e4", min_size=0, max_size=6))


@st.composite
def run(draw: st.DrawFn) -> str:
    """Text at a place, styled in pieces, that stays on its row."""
    row = draw(st.integers(1, ROWS))
    column = draw(st.integers(1, COLUMNS - 1))
    room = COLUMNS - column + 1
    text = ""
    for style, words in draw(st.lists(piece, max_size=4)):
        kept = ""
        for character in words:
            cells = 2 if character == "日" else 1
            if cells > room:
                break
            room -= cells
            kept += character
        text += f"\x1b[{style}m{kept}\x1b[0m" if style else kept
    return f"\x1b[{row};{column}H{text}"


frames = st.lists(
    st.one_of(st.lists(run(), max_size=6).map("".join), st.just("\x1b[2J"), st.just("\x1b[?25l")), max_size=8
)


@given(frames)
def test_the_screen_is_the_same_as_if_everything_had_been_sent(sent: list[str]) -> None:
    """Wide characters that are half overwritten differ between terminals, so those cells are not compared."""
    all_of_it, part = pyte.Screen(COLUMNS, ROWS), pyte.Screen(COLUMNS, ROWS)
    whole, less = pyte.Stream(all_of_it), pyte.Stream(part)
    memory = Repaint()
    for frame in sent:
        frame = frame.replace("日", "x")
        whole.feed(frame)
        less.feed(memory.needed(frame))
    assert part.display == all_of_it.display
    for row in range(ROWS):
        for column in range(COLUMNS):
            assert part.buffer[row][column] == all_of_it.buffer[row][column]


def test_what_stands_there_already_is_not_sent_again() -> None:
    memory = Repaint()
    frame = "\x1b[1;1H\x1b[7m edge-07 \x1b[0m\n\x1b[2;1Hone two three four five\x1b[1;1H"
    first = memory.needed(frame)
    assert "edge-07" in first and "five" in first
    assert memory.needed(frame) == ""
    assert memory.needed("\x1b[2;1Hone TWO three four five") == "\x1b[2;5HTWO"


def test_after_the_terminal_was_cleared_everything_is_sent_again() -> None:
    memory = Repaint()
    frame = "\x1b[1;1Hwords"
    assert memory.needed(frame) == frame
    assert memory.needed("\x1b[2J") == "\x1b[2J"
    assert memory.needed(frame) == frame


def test_a_wide_character_is_sent_as_a_whole() -> None:
    memory = Repaint()
    memory.needed("\x1b[1;1Hab日cd")
    assert memory.needed("\x1b[1;1Hab日Xd") == "\x1b[1;5HX"
    assert memory.needed("\x1b[1;1Hab本Xd") == "\x1b[1;3H本"


def test_the_bounds_of_a_picture_are_kept_only_around_something() -> None:
    memory = Repaint()
    assert memory.needed("\x1b[?2026h\x1b[1;1Hab\x1b[?2026l") == "\x1b[?2026h\x1b[1;1Hab\x1b[?2026l"
    assert memory.needed("\x1b[?2026h\x1b[1;1Hab\x1b[?2026l") == ""
