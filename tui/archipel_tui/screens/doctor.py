"""Doctor: all checks on the left, what the chosen one found on the right, and its repair where there is one."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.containers import Horizontal
from textual.widget import Widget

from archipel_contract.api import Checks
from archipel_contract.findings import CheckResult, Finding
from archipel_tui.screens.base import Page
from archipel_tui.screens.repair import ask_to_repair
from archipel_tui.text import Line, paragraph
from archipel_tui.views import doctor
from archipel_tui.widgets.lines import Panel

CHECKS_TIMEOUT = 60.0  # all checks together; those of a preflight read the network and the disk


class DoctorPage(Page):
    """Every check now, in plain words."""

    WORD: ClassVar[str] = "doctor"

    def __init__(self) -> None:
        super().__init__()
        self._chosen = 0
        self._problem = ""

    def body(self) -> Iterable[Widget]:
        """The list and the explanation."""
        with Horizontal(id="sides"):
            yield Panel(self._list, lambda: self.scene.words("box.checks"), id="checks")
            yield Panel(self._explained, lambda: self.scene.words("box.found"), id="found")

    def on_mount(self) -> None:
        """Run the checks."""
        self._check()

    def note(self) -> str:
        """How many checks found what."""
        return doctor.counts(self.scene) if not self._problem else ""

    def keys(self) -> list[tuple[str, str]]:
        """Choose, details, repair, again."""
        keys = [("keyname.up-down", "choose")]
        finding = self._finding()
        if finding is not None:
            keys.append(("W", "why"))
            if finding.fix is not None:
                keys.append(("F", "fix"))
        return [*keys, ("A", "again"), ("keyname.page", "scroll"), ("Esc", "back"), ("F1", "help")]

    def panel(self) -> Panel:
        """PgUp and PgDn scroll the explanation."""
        return self.query_one("#found", Panel)

    def action_move(self, way: int) -> None:
        """Choose another check."""
        checks = self.scene.picture.checks
        if checks is not None and checks.results:
            self._chosen = min(max(self._chosen + way, 0), len(checks.results) - 1)
            self.redraw()
            self.query_one("#checks", Panel).show_row(self._chosen)
            self.panel().scroll_to(y=0, animate=False)

    def action_enter(self) -> None:
        """Explain in full."""
        self.action_letter("w")

    def action_letter(self, key: str) -> None:
        """W why, F fix, A again."""
        finding = self._finding()
        if key == "a":
            self._check()
        elif key == "w" and finding is not None:
            self.ui.explain(finding)
        elif key == "f" and finding is not None:
            ask_to_repair(self.ui, finding)

    def answered(self, what: str, value: Any) -> None:
        """The checks were run."""
        if isinstance(value, Checks):
            self._problem = ""
            self._chosen = min(self._chosen, max(len(value.results) - 1, 0))
            self.ui.take_checks(value)

    def failed(self, what: str, reason: str) -> None:
        """They could not be run."""
        self._problem = reason

    def _check(self) -> None:
        self._problem = ""
        self.ui.forget_checks()
        self.ask("checks", "checks", timeout=CHECKS_TIMEOUT)
        self.redraw()

    def _result(self) -> CheckResult | None:
        checks = self.scene.picture.checks
        if checks is None or not checks.results:
            return None
        return doctor.ordered(checks.results)[min(self._chosen, len(checks.results) - 1)]

    def _finding(self) -> Finding | None:
        result = self._result()
        return result.findings[0] if result is not None and result.findings else None

    def _list(self, cells: int) -> list[Line]:
        if self._problem:
            return paragraph("? " + self.scene.words("fact.unknown"), cells)
        return doctor.listing(self.scene, cells, self._chosen)

    def _explained(self, cells: int) -> list[Line]:
        if self._problem:
            return paragraph("x " + self.scene.words.shown(self._problem), cells, "bad")
        result = self._result()
        return doctor.explanation(self.scene, cells, result) if result is not None else []
