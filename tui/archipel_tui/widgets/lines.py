"""Lines of text as a widget, and a framed, scrolling panel of them.

`redraw` asks the view again and repaints the rows that differ from what is shown, since on a serial line
every byte counts.
"""

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from archipel_tui.text import Line, length
from archipel_tui.theme import COLOURED, MONO, WHOLE_ROW

View = Callable[[int], list[Line]]  # from a width in cells to lines


class Lines(Widget):
    """The lines a view returns, as many rows as there are lines."""

    DEFAULT_CSS = "Lines { height: auto; width: 100%; }"

    def __init__(self, view: View, **options: str) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # id and classes, as any widget takes them
        self._view = view
        self._shown: list[Line] = []
        self._cells = -1

    @property
    def lines(self) -> list[Line]:
        """What is shown."""
        return self._shown

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many rows the view takes at this width.

        Nothing is remembered: what is shown changes in `redraw` only, which then knows what to repaint.
        """
        return len(self._view(width))

    def redraw(self) -> None:
        """Ask the view again and repaint what changed."""
        cells = self.size.width
        if cells <= 0:
            return
        before, was = self._shown, self._cells
        self._look(cells)
        if was != cells or len(before) != len(self._shown):
            self.refresh(layout=True)
            return
        changed = [
            Region(0, row, cells, 1)
            for row, (old, new) in enumerate(zip(before, self._shown, strict=True))
            if old != new
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """Return one row for the terminal."""
        cells = self.size.width
        if cells != self._cells:
            self._look(cells)
        return strip(self._shown[y] if y < len(self._shown) else (), cells, mono=self.app.no_color)

    def _look(self, cells: int) -> None:
        self._shown, self._cells = self._view(cells), cells


def strip(pieces: Line, cells: int, mono: bool) -> Strip:
    """Return a line as Textual draws it, exactly `cells` wide."""
    looks = MONO if mono else COLOURED
    segments = [Segment(text, looks[style]) for text, style in pieces]
    last = pieces[-1][1] if pieces else ""
    rest = cells - length(pieces)
    if rest > 0:
        segments.append(Segment(" " * rest, looks[last] if last in WHOLE_ROW else Style.null()))
    return Strip(segments).adjust_cell_length(cells)


class Panel(VerticalScroll):
    """A frame with a heading around lines that scroll when there are too many; the frame tells how many are
    below.
    """

    DEFAULT_CSS = """
    Panel {
        border: solid ansi_default;
        border-title-color: ansi_default;
        border-title-style: bold;
        border-subtitle-color: ansi_default;
        padding: 0 1;
        scrollbar-size: 0 0;
        height: auto;
    }
    """

    def __init__(self, view: View, heading: Callable[[], str], **options: str) -> None:
        super().__init__(can_focus=False, **options)  # type: ignore[arg-type]  # id and classes
        self._heading = heading
        self.content = Lines(view)
        self.keeps_end = False  # whether lines that are added below come into sight

    def compose(self) -> ComposeResult:
        """One child: the lines."""
        yield self.content

    def on_mount(self) -> None:
        """Name the frame and keep the count of hidden rows right."""
        self.border_title = self._heading()
        self.watch(self, "scroll_y", self._count, init=False)
        self.watch(self, "virtual_size", self._count, init=False)

    def on_resize(self) -> None:
        """The rows that fit have changed."""
        self._count()

    def redraw(self) -> None:
        """Draw what changed."""
        heading = self._heading()
        if heading != self.border_title:
            self.border_title = heading
        self.content.redraw()

    def scroll_row(self, row: float) -> None:
        """Scroll so that this row is the topmost."""
        self.keeps_end = False
        self.scroll_to(y=row, animate=False)

    def show_row(self, row: int) -> None:
        """Scroll so that this row is seen."""
        height = self.scrollable_content_region.height
        top = round(self.scroll_y)
        if row < top:
            self.scroll_to(y=row, animate=False)
        elif height and row >= top + height:
            self.scroll_to(y=row - height + 1, animate=False)

    def _count(self) -> None:
        if self.keeps_end and self.scroll_y != self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False)
            return
        height = self.scrollable_content_region.height
        total = self.content.size.height
        top = round(self.scroll_y)
        first, last = top + 1, min(top + height, total)
        text = f"{first}-{last}/{total}" if total > height > 0 else ""
        if text != (self.border_subtitle or ""):
            self.border_subtitle = text
