"""Home: how this box does, its hardware, what is wrong and what to do, the nodes and the pods that are not
ready.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from archipel_contract.findings import Finding, worst
from archipel_contract.status import Health
from archipel_tui.screens.base import Page
from archipel_tui.screens.repair import ask_to_repair
from archipel_tui.text import Line, line
from archipel_tui.views import frame, hardware, home
from archipel_tui.widgets.lines import Lines, Panel


class HomePage(Page):
    """The first screen."""

    WORD: ClassVar[str] = "home"

    def body(self) -> Iterable[Widget]:
        """Two boxes side by side (one column on a narrow screen), then the advice, then nodes and pods."""
        with VerticalScroll(id="scroll", can_focus=False):
            with Horizontal(id="top"):
                yield Panel(self._box, lambda: self.scene.words("box.this-box"), id="this-box")
                yield Panel(self._hardware, self._hardware_title, id="hardware")
            yield Panel(self._advice, lambda: home.advice_title(self.scene), id="advice")
            # On a narrow screen what to do comes before the hardware; only one of the two panels is
            # displayed.
            yield Panel(self._hardware, self._hardware_title, id="hardware-below")
            yield Lines(lambda cells: home.nodes(self.scene, cells), id="nodes")
            yield Lines(lambda cells: home.some_pods(self.scene, cells, self._pod_rows()), id="pods")

    def keys(self) -> list[tuple[str, str]]:
        """The screens, and what can be done in this state."""
        report = self.scene.picture.report
        keys = [("0", "menu"), ("2", "doctor"), ("4", "pods"), ("6", "logs")]
        if self._worst() is not None:
            keys.append(("W", "why"))
            if self._fixable() is not None:
                keys.append(("F", "fix"))
        if report is not None and report.health is Health.NOT_SET_UP:
            keys.append(("U", "up"))
        if report is not None and report.health is Health.STOPPED:
            keys.append(("U", "start"))
        if self.scene.picture.job is not None:
            keys.append(("J", "progress"))
        return [*keys, ("F1", "help"), ("F9", "language"), ("Q", "leave")]

    def action_enter(self) -> None:
        """Explain the worst finding."""
        self.action_letter("w")

    def action_letter(self, key: str) -> None:
        """W explains the worst finding, F repairs it."""
        finding = self._worst()
        if key == "w" and finding is not None:
            self.ui.explain(finding)
        elif key == "f" and finding is not None:
            ask_to_repair(self.ui, finding)

    def action_move(self, way: int) -> None:
        """Scroll what does not fit."""
        self.query_one("#scroll", VerticalScroll).scroll_relative(y=way, animate=False)

    def action_page(self, way: int) -> None:
        """Scroll by a page."""
        scroll = self.query_one("#scroll", VerticalScroll)
        scroll.scroll_relative(y=way * max(scroll.size.height - 1, 1), animate=False)

    def _worst(self) -> Finding | None:
        return worst(self.scene.picture.findings)

    def _fixable(self) -> Finding | None:
        finding = self._worst()
        return finding if finding is not None and finding.fix is not None else None

    def _box(self, cells: int) -> list[Line]:
        return self._level(home.this_box(self.scene, cells), hardware.page(self.scene, cells))

    def _hardware(self, cells: int) -> list[Line]:
        return self._level(hardware.page(self.scene, cells), home.this_box(self.scene, cells))

    def _level(self, mine: list[Line], other: list[Line]) -> list[Line]:
        """Side by side, both boxes are as high as the higher one."""
        missing = 0 if self.has_class("-narrow") else len(other) - len(mine)
        return mine + [line("")] * missing

    def _hardware_title(self) -> str:
        size = hardware.machine_size(self.scene)
        return self.scene.words("box.hardware") + (f" ({size})" if size else "")

    def _advice(self, cells: int) -> list[Line]:
        if self.scene.picture.report is None:
            return frame.away(self.scene, cells)
        return home.advice(self.scene, cells)

    def _pod_rows(self) -> int:
        return 20 if self.has_class("-tall") else 6
