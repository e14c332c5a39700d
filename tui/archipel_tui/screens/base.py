"""What every screen is made of: title row, banner, body, key bar; and how keys reach it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.widget import Widget

from archipel_tui.screens.asking import Asking
from archipel_tui.terminal import SMALLEST
from archipel_tui.text import Line, paragraph
from archipel_tui.views import frame
from archipel_tui.widgets.lines import Lines, Panel


class Page(Asking, inherit_bindings=False):
    """A screen of the technician's interface."""

    # Nothing has Textual's focus: every key belongs to the screen, so that none is swallowed by a widget.
    AUTO_FOCUS: ClassVar[str | None] = ""
    # Textual declares both as variables of the instance, so they cannot be ClassVar here.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide"), (120, "-broad")]  # noqa: RUF012 - see above
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-high"), (35, "-tall")]  # noqa: RUF012 - see above
    WORD: ClassVar[str] = "home"

    def compose(self) -> ComposeResult:
        """Title, banner, body, keys."""
        yield Lines(lambda cells: [frame.title(self.scene, cells, self.heading(), self.note())], id="title")
        yield Lines(lambda cells: frame.banner(self.scene, cells), id="banner")
        with Vertical(id="body"):
            yield from self.body()
        yield Lines(self._too_small, id="tiny")
        yield Lines(lambda cells: frame.keybar(self._keys(), cells), id="keys")

    def body(self) -> Iterable[Widget]:
        """The widgets between banner and key bar."""
        return ()

    def heading(self) -> str:
        """What the screen is called."""
        return self.scene.words(f"screen.{self.WORD}")

    def note(self) -> str:
        """A few words for the title row, shown where they fit."""
        return ""

    def keys(self) -> list[tuple[str, str]]:
        """This screen's own keys as (key, word of the table `key`)."""
        return []

    def panel(self) -> Panel | None:
        """The panel that PgUp and PgDn scroll."""
        return None

    def redraw(self) -> None:
        """Draw whatever changed; called by the app whenever the picture, the language or the time did."""
        try:
            for panel in self.query(Panel):
                panel.redraw()
            for name in ("title", "banner", "keys", "tiny"):
                self.query_one(f"#{name}", Lines).redraw()
            for lines in self.query("#body Lines").results(Lines):
                lines.redraw()
        except NoMatches:
            return  # not composed yet; the first paint draws everything

    def on_screen_resume(self) -> None:
        """What happened while another screen was on top."""
        self.redraw()

    def on_resize(self) -> None:
        """Say so when nothing fits."""
        small = self.size.width < SMALLEST[0] or self.size.height < SMALLEST[1]
        self.set_class(small, "-tiny")

    def action_page(self, way: int) -> None:
        """PgUp, PgDn."""
        panel = self.panel()
        if panel is not None:
            step = max(panel.scrollable_content_region.height - 1, 1)
            panel.scroll_row(panel.scroll_y + way * step)

    def action_move(self, way: int) -> None:
        """Up, Down: scroll, unless the screen has something to choose."""
        panel = self.panel()
        if panel is not None:
            panel.scroll_row(panel.scroll_y + way)

    def action_end(self, way: int) -> None:
        """Home, End."""
        panel = self.panel()
        if panel is not None:
            panel.scroll_row(0 if way < 0 else panel.max_scroll_y)

    def action_enter(self) -> None:
        """Enter."""

    def action_letter(self, key: str) -> None:
        """A letter or digit that is this screen's own; those not in `keys` do nothing."""

    def _keys(self) -> list[tuple[str, str]]:
        words = self.scene.words
        return [
            (words(key) if key.startswith("keyname.") else key, words(f"key.{word}"))
            for key, word in self.keys()
        ]

    def _too_small(self, cells: int) -> list[Line]:
        return paragraph(self.scene.words("screen.too-small"), cells)
