"""Colours: one Textual theme in the terminal's own 16 colours, and the look of each style name the views use.

No meaning rests on colour alone: every state carries a mark (`+ ! x ?`) in its text. Never bold on black,
which the kernel's console draws as dark grey on black.
"""

from rich.style import Style
from textual.theme import Theme

THEME = Theme(
    name="archipel",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        "ansi-background": "ansi_black",  # an ANSI theme without these two does not start (Textual 8.2)
        "ansi-foreground": "ansi_white",
    },
)

_REVERSE = Style(reverse=True)

COLOURED: dict[str, Style] = {
    "": Style.null(),
    "label": Style(color="cyan"),
    "strong": Style(bold=True),
    "good": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "soft": Style(color="cyan"),
    "key": Style(color="cyan", bold=True),
    "bar": _REVERSE,
    "flag": Style(color="black", bgcolor="yellow"),
    "alarm": Style(color="white", bgcolor="red", bold=True),
    "cursor": Style(color="black", bgcolor="cyan"),
}

MONO: dict[str, Style] = {
    **dict.fromkeys(("", "label", "good", "soft"), Style.null()),
    **dict.fromkeys(("strong", "warn", "bad", "key"), Style(bold=True)),
    **dict.fromkeys(("bar", "flag", "alarm", "cursor"), _REVERSE),
}

# Styles that colour the whole row, to its right end.
WHOLE_ROW = ("bar", "flag", "alarm", "cursor")
