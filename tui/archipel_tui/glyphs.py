"""Which characters may be drawn, and what stands in for one a console font lacks.

The screens use `SAFE` only, which the kernel's own font (code page 437) and Debian's console fonts both
have. Text from elsewhere may hold anything; `Fold` makes it drawable, cell by cell. Called by the driver;
draws nothing itself.
"""

import unicodedata

ASCII = frozenset(map(chr, range(0x20, 0x7F)))
LINES = frozenset("─│┌┐└┘├┤┬┴┼═║╔╗╚╝")
LETTERS = frozenset("äöüÄÖÜß°µ½")
BLOCKS = frozenset("█░▒■▲▶▼◀←↑→↓")
SAFE = ASCII | LINES | LETTERS | BLOCKS

_LIKE = {
    **dict.fromkeys("━╌┄┈╴╶▔▁─═", "-"),
    **dict.fromkeys("┃╎┆┊╵╷▏▕│║", "|"),
    **dict.fromkeys("╭╮╰╯┏┓┗┛┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
    **dict.fromkeys("▀▄▌▐▂▃▅▆▇▉▊▋▍▎█■●", "#"),
    **dict.fromkeys("░▒▓", "."),
    **dict.fromkeys("“”„«»", '"'),
    **dict.fromkeys("‘’‚‹›", "'"),
    **dict.fromkeys("–—‐‑", "-"),
    **dict.fromkeys("•·▪◦", "*"),
    "▲": "^", "▶": ">", "▼": "v", "◀": "<", "←": "<", "↑": "^", "→": ">", "↓": "v",
    "…": ".", "€": "E", "ß": "s", "\N{NO-BREAK SPACE}": " ", "✓": "+", "✗": "x",
}  # fmt: skip


class Fold(dict[int, str]):
    """A table for `str.translate` that lets a font's own characters through and finds a likeness for all
    others.

    `font` holds the characters the terminal can draw beside ASCII. Control characters pass: they are the
    driver's own sequences, foreign ones having been removed by `text.clean`.
    """

    def __init__(self, font: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._font = font

    def __missing__(self, code: int) -> str:
        """Return, and remember, what to draw for a character not met before; always as many cells as it
        takes.
        """
        character = chr(code)
        drawn = character if code < 0x7F or character in self._font else self._likeness(character)
        self[code] = drawn
        return drawn

    def _likeness(self, character: str) -> str:
        if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
            return ""
        like = _LIKE.get(character) or unicodedata.normalize("NFKD", character)[:1]
        if not (like.isascii() and like.isprintable()) and like not in self._font:
            like = "?"
        return like * 2 if unicodedata.east_asian_width(character) in "WF" else like
