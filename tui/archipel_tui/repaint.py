"""Leaves out of what is sent to the terminal whatever stands there already, cell by cell.

Textual repaints whole screens when a layout changes, several times in a row at the start, and rows around a single
figure; at 9600 baud a screen takes four seconds. Called by the driver with what it is about to send. Keeps the cells
of the terminal as they were left, and sends the runs of cells that differ.
"""

import re

from archipel_tui.text import width

_MOVE = re.compile(r"\x1b\[(\d+);(\d+)H")
# A run of text with nothing but attributes in it, and the line end that Textual puts behind it.
_RUN = re.compile(r"((?:[^\x1b\r\n]|\x1b\[[\d;]*m)*)(?:\r?\n)?")
_TOKEN = re.compile(r"\x1b\[([\d;]*)m|([^\x1b])")

# What terminal emulators take as the bounds of one picture.
SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"

_GAP = 6  # cells that stay the same but cost less to send again than to step over

Cell = tuple[str, str]  # attributes, character; the second half of a wide character is an empty one


class Repaint:
    """The memory of one terminal."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], Cell] = {}

    def forget(self) -> None:
        """Something else drew on the terminal, or it changed its size."""
        self._cells.clear()

    def needed(self, data: str) -> str:
        """Return what of `data` changes the terminal."""
        if data.startswith(SYNC_START) and data.endswith(SYNC_END):
            inner = self.needed(data[len(SYNC_START) : -len(SYNC_END)])
            return SYNC_START + inner + SYNC_END if inner else ""
        parts = _MOVE.split(data)
        kept = [parts[0]]
        if parts[0]:
            self._check(parts[0])
        for row, column, content in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            run = _RUN.fullmatch(content)
            if run is None:
                self._check(content)
                kept.append(f"\x1b[{row};{column}H{content}")
            else:
                kept.append(self._changed(int(row), int(column), run[1]))
        return "".join(kept)

    def _check(self, content: str) -> None:
        """Anything but attributes outside a run may draw anywhere, so nothing is known any more."""
        if _TOKEN.sub(lambda token: token[2] or "", content):
            self.forget()

    def _changed(self, row: int, column: int, run: str) -> str:
        """Remember a run of cells and return those that were different."""
        cells = _cells(run)
        differ = []
        for offset, cell in enumerate(cells):
            place = (row, column + offset)
            if self._cells.get(place) != cell:
                self._cells[place] = cell
                differ.append(offset)
        spans: list[list[int]] = []
        for offset in differ:
            if spans and offset - spans[-1][1] <= _GAP:
                spans[-1][1] = offset
            else:
                spans.append([offset, offset])
        sent = []
        for first, last in spans:
            while cells[first][1] == "" and first > 0:
                first -= 1  # a wide character is sent as a whole
            sent.append(f"\x1b[{row};{column + first}H{_styled(cells[first : last + 1])}")
        return "".join(sent)


def _cells(run: str) -> list[Cell]:
    """Return the cells a run covers."""
    cells: list[Cell] = []
    attributes = ""
    for token in _TOKEN.finditer(run):
        if token[2] is None:
            attributes = _attributes(attributes, token[1])
            continue
        wide = width(token[2])
        if wide == 0 and cells:
            cells[-1] = (cells[-1][0], cells[-1][1] + token[2])
        else:
            cells += [(attributes, token[2]), *[(attributes, "")] * (wide - 1)]
    return cells


def _attributes(before: str, new: str) -> str:
    """Return the attributes after one more SGR sequence; the terminal's default colours need none."""
    words = new.split(";") if new else ["0"]
    if words[0] == "0":
        before, words = "", words[1:]
    if "38" not in words and "48" not in words:
        words = [word for word in words if word not in ("39", "49")]
    return ";".join([before, *words] if before else words)


def _styled(cells: list[Cell]) -> str:
    """Return cells as text with its attributes, which are reset behind each run of the same ones."""
    sent = []
    at = 0
    while at < len(cells):
        end = at
        while end < len(cells) and cells[end][0] == cells[at][0]:
            end += 1
        text = "".join(character for _, character in cells[at:end])
        sent.append(f"\x1b[{cells[at][0]}m{text}\x1b[0m" if cells[at][0] else text)
        at = end
    return "".join(sent)
