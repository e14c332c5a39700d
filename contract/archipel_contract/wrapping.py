"""Sentences in lines of a given width: for the commands of agent and controller, and for the technician's screen.

Knows nothing of terminals; who calls says how many cells there are.
"""

import os
import re
import shutil
import textwrap

TOGETHER = "\N{NO-BREAK SPACE}"  # where `wrap` must not break; it is shown as a space
NARROW = 12  # beside a label that leaves less than this, sentences would be towers of single words
WIDE = 40  # and beside one that leaves less, a word that is longer than that would be cut into pieces
# What a remedy ends with is copied from the screen: it stays in one line where it fits into one.
_COMMAND = re.compile(r"(?<=: )(?:sudo|archipel) .*$")
_STYLE = re.compile(r"\033\[[0-9;]*m")


def wrap(text: str, cells: int) -> list[str]:
    """Return `text` in lines of at most `cells` cells, broken at spaces, inside a word only where it fits no line."""
    cells = max(cells, 1)
    command = _COMMAND.search(text)
    if command and len(command.group()) <= cells:
        text = text[: command.start()] + command.group().replace(" ", TOGETHER)
    parts = textwrap.wrap(text, cells, break_on_hyphens=False) or [""]
    return [part.replace(TOGETHER, " ") for part in parts]


def beside(front: str, text: str, cells: int | None) -> list[str]:
    """Return `front` and `text` with its later lines below its first; where that is too narrow, below `front`.

    `front` may be coloured. Without `cells` there is room for everything in one line.
    """
    if cells is None:
        return [front + text]
    column = len(_STYLE.sub("", front))
    if column + len(text) <= cells:
        return [front + text]
    beside_it = cells - column
    if beside_it >= max(NARROW, min(WIDE, max(map(len, text.split()), default=0))):
        first, *more = wrap(text, beside_it)
        return [front + first, *(" " * column + part for part in more)]
    indent = " " * min(4, cells // 4)
    return [front.rstrip(), *(indent + part for part in wrap(text, cells - len(indent)))]


def room(is_terminal: bool) -> int | None:
    """Return the columns of the terminal; elsewhere what COLUMNS says, None where it says nothing: as wide as needed."""
    if is_terminal:
        return shutil.get_terminal_size().columns
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isascii() and said.isdigit() and int(said) > 0 else None
