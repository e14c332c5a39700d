"""Which terminal is used how, and what stands in for characters a font lacks."""

import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_tui.glyphs import SAFE, Fold
from archipel_tui.terminal import Mode, Probe, basic, decide
from archipel_tui.text import width

CP437 = frozenset("─│┌┐└┘├┤┬┴┼═║╔╗╚╝█░▒▓▀▄▌▐■▲►▼◄←↑→↓äöüÄÖÜß°µ½é")


@pytest.mark.parametrize(
    ("found", "environment", "mode"),
    [
        (Probe(is_tty=True, is_console=True), {"TERM": "linux"}, Mode.CONSOLE),
        (Probe(is_tty=True, is_console=True), {"TERM": "xterm"}, Mode.CONSOLE),  # the kernel knows better
        (Probe(is_tty=True, name="/dev/pts/3"), {"TERM": "linux"}, Mode.CONSOLE),  # over SSH from a console
        (Probe(is_tty=True, name="/dev/pts/3"), {"TERM": "xterm-256color"}, Mode.RICH),
        (Probe(is_tty=True, name="/dev/pts/3"), {"TERM": "tmux"}, Mode.RICH),
        (Probe(is_tty=True, name="/dev/pts/3"), {"TERM": "sun-color"}, Mode.CONSOLE),
        (Probe(is_tty=True, name="/dev/ttyS0", speed=termios.B115200), {"TERM": "vt220"}, Mode.SERIAL),
        (Probe(is_tty=True, name="/dev/ttyAMA0", speed=termios.B115200), {"TERM": "xterm"}, Mode.SERIAL),
        (Probe(is_tty=True, name="/dev/ttyUSB0", speed=termios.B9600), {"TERM": "vt100"}, Mode.PLAIN),
        (Probe(is_tty=True, name="/dev/pts/3", speed=termios.B9600), {"TERM": "xterm"}, Mode.RICH),
        (Probe(is_tty=True, name="/dev/pts/3"), {"TERM": "vt100"}, Mode.SERIAL),
        (Probe(is_tty=True), {"TERM": "dumb"}, Mode.PLAIN),
        (Probe(is_tty=True), {}, Mode.PLAIN),
        (Probe(is_tty=False), {"TERM": "xterm"}, Mode.PLAIN),
        (Probe(is_tty=True, columns=59, rows=24), {"TERM": "xterm"}, Mode.PLAIN),
        (Probe(is_tty=True, columns=80, rows=19), {"TERM": "xterm"}, Mode.PLAIN),
        (Probe(is_tty=True, columns=60, rows=20), {"TERM": "xterm"}, Mode.RICH),
        (Probe(is_tty=True, columns=0, rows=0), {"TERM": "xterm"}, Mode.RICH),  # a line that does not say
    ],
)
def test_each_terminal_is_used_as_it_can(found: Probe, environment: dict[str, str], mode: Mode) -> None:
    assert decide(found, environment).mode is mode
    assert decide(found, environment, plain=True).mode is Mode.PLAIN


def test_colour_is_left_out_on_wish_only_and_an_empty_no_color_is_no_wish() -> None:
    found = Probe(is_tty=True)
    assert not decide(found, {"TERM": "xterm"}).mono
    assert not decide(found, {"TERM": "xterm", "NO_COLOR": ""}).mono
    assert decide(found, {"TERM": "xterm", "NO_COLOR": "1"}).mono
    assert decide(found, {"TERM": "xterm"}, mono=True).mono
    assert decide(found, {"TERM": "xterm-mono"}).mono


def test_a_terminal_that_does_not_speak_utf8_gets_ascii() -> None:
    assert decide(Probe(is_tty=True, utf8=False), {"TERM": "xterm"}).ascii_only
    assert basic(decide(Probe(is_tty=True), {"TERM": "vt100"})).ascii_only


@given(st.text(max_size=40))
def test_whatever_is_drawn_is_in_the_font_and_takes_as_many_cells(text: str) -> None:
    text = "".join(character for character in text if character.isprintable())
    for font in (frozenset[str](), CP437, SAFE):
        drawn = text.translate(Fold(font))
        assert all(character in font or 0x20 <= ord(character) < 0x7F for character in drawn)
        assert width(drawn) == width("".join(c for c in text if c.isascii() or width(c) > 0))


def test_a_likeness_is_recognizable() -> None:
    assert "┏━━┓ … „ä“ ▁▆ é €".translate(Fold()) == '+--+ . "a" -# e E'
    assert "┌─┐ ä".translate(Fold(CP437)) == "┌─┐ ä"


def test_the_driver_s_own_sequences_pass() -> None:
    assert "\x1b[1;1H\x1b[7mx\x1b[0m\r\n".translate(Fold()) == "\x1b[1;1H\x1b[7mx\x1b[0m\r\n"
