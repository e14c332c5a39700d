"""Logs: the last lines of k3s or the agent, all or only errors."""

from typing import Any, ClassVar

from archipel_contract.api import LogLines
from archipel_tui.screens.pages import OnePanel
from archipel_tui.text import Line, paragraph
from archipel_tui.views import logs

LINES = "400"  # how many to ask for
SECONDS = 3.0  # between two looks, while the screen is open


class LogsPage(OnePanel):
    """Opens at the end and stays there until one scrolls up."""

    WORD: ClassVar[str] = "logs"

    def __init__(self) -> None:
        super().__init__()
        self._source = "k3s"
        self._only_errors = False
        self._lines: LogLines | None = None
        self._problem = ""

    def on_mount(self) -> None:
        """Fetch, and again every few seconds."""
        self._fetch()
        self.set_interval(SECONDS, self._fetch)

    def view(self, cells: int) -> list[Line]:
        """The lines, or why there are none."""
        if self._problem and self._lines is None:
            return paragraph("x " + self.scene.words.shown(self._problem), cells, "bad")
        return logs.page(self.scene, cells, self._lines, self._only_errors)

    def panel_heading(self) -> str:
        """Which lines these are."""
        return logs.heading(self.scene, self._lines, self._source, self._only_errors)

    def keys(self) -> list[tuple[str, str]]:
        """Source, errors, scroll, back."""
        errors = ("E", "all-lines" if self._only_errors else "errors")
        return [("T", "source"), errors, ("keyname.page", "scroll"), ("Esc", "back"), ("F1", "help")]

    def action_letter(self, key: str) -> None:
        """T the other source, E errors only."""
        if key == "t":
            self._source = "agent" if self._source == "k3s" else "k3s"
            self._lines = None
            self._fetch()
        elif key == "e":
            self._only_errors = not self._only_errors
        self.panel().keeps_end = True
        self.redraw()

    def answered(self, what: str, value: Any) -> None:
        """Show them, at the end unless somebody reads further up."""
        if not isinstance(value, LogLines) or value.source != self._source or value == self._lines:
            return
        panel = self.panel()
        panel.keeps_end = panel.scroll_y >= panel.max_scroll_y
        self._lines, self._problem = value, ""

    def failed(self, what: str, reason: str) -> None:
        """Keep what is shown."""
        self._problem = reason

    def _fetch(self) -> None:
        if self.is_current:
            self.ask("logs", "logs", source=self._source, lines=LINES)
