"""The rule by which every command chooses its language and its colour."""

import io

import pytest

from archipel_contract.console import language_of, wants_color


class Terminal(io.StringIO):
    """An output with somebody in front of it."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.mark.parametrize(
    ("choice", "environment", "tty", "wanted"),
    [
        (None, {"TERM": "xterm"}, True, True),
        (None, {"TERM": "xterm"}, False, False),
        (None, {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        (None, {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (None, {"TERM": "dumb"}, True, False),
        (None, {}, True, False),
        (True, {"NO_COLOR": "1"}, False, True),
        (False, {"TERM": "xterm"}, True, False),
    ],
)
def test_colour_is_for_terminals_and_those_who_ask(
    choice: bool | None, environment: dict[str, str], tty: bool, wanted: bool
) -> None:
    assert wants_color(choice, Terminal() if tty else io.StringIO(), environment) is wanted


@pytest.mark.parametrize(
    ("choice", "environment", "language"),
    [
        (None, {}, "en"),
        (None, {"LANG": "de_AT.UTF-8"}, "de"),
        (None, {"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LANG": "de_DE", "LC_ALL": ""}, "de"),
        (None, {"LANG": "en_US.UTF-8", "LC_MESSAGES": "de_DE"}, "de"),
        (None, {"LANG": "en_US.UTF-8", "ARCHIPEL_LANGUAGE": "de"}, "de"),
        (None, {"LANG": "fr_FR.UTF-8"}, "en"),
        ("en", {"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_chosen_or_follows_the_environment(
    choice: str | None, environment: dict[str, str], language: str
) -> None:
    assert language_of(choice, environment) == language
