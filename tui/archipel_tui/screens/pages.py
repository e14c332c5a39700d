"""The small screens: why, pods, menu, help, and the question before something changes."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual.widget import Widget

from archipel_contract.findings import Finding
from archipel_tui.screens.base import Page
from archipel_tui.screens.repair import ask_to_repair
from archipel_tui.store import all_findings
from archipel_tui.text import Line, line, paragraph
from archipel_tui.views import frame, pods, why
from archipel_tui.widgets.lines import Panel


class OnePanel(Page):
    """A screen that is one scrolling panel."""

    def body(self) -> Iterable[Widget]:
        """The panel."""
        yield Panel(self.view, self.panel_heading, id="only")

    def panel_heading(self) -> str:
        """What the frame is called."""
        return self.heading()

    def view(self, cells: int) -> list[Line]:
        """What the panel shows."""
        raise NotImplementedError

    def panel(self) -> Panel:
        """The panel."""
        return self.query_one("#only", Panel)

    def keys(self) -> list[tuple[str, str]]:
        """Scroll, back."""
        return [("keyname.page", "scroll"), ("Esc", "back"), ("F1", "help"), ("F9", "language")]


class WhyPage(OnePanel):
    """One finding in full; N goes to the next."""

    WORD: ClassVar[str] = "why"

    def __init__(self, finding: Finding | None) -> None:
        super().__init__()
        self._finding = finding

    def view(self, cells: int) -> list[Line]:
        """The finding."""
        return why.page(self.scene, cells, self._current())

    def note(self) -> str:
        """Which of how many."""
        known = all_findings(self.scene.picture)
        finding = self._current()
        if finding not in known or len(known) < 2:
            return ""
        return self.scene.words("why.of", number=known.index(finding) + 1, all=len(known))

    def keys(self) -> list[tuple[str, str]]:
        """Next, repair, back."""
        finding = self._current()
        own = [("F", "fix")] if finding is not None and finding.fix is not None else []
        if len(all_findings(self.scene.picture)) > 1:
            own.append(("N", "next"))
        return own + super().keys()

    def action_letter(self, key: str) -> None:
        """N next, F fix."""
        known = all_findings(self.scene.picture)
        finding = self._current()
        if key == "n" and known:
            self._finding = known[(known.index(finding) + 1) % len(known) if finding in known else 0]
            self.panel().scroll_to(y=0, animate=False)
            self.redraw()
        elif key == "f" and finding is not None:
            ask_to_repair(self.ui, finding)

    def _current(self) -> Finding | None:
        """The finding as the agent saw it last, since its evidence may have grown."""
        if self._finding is None:
            return None
        for finding in all_findings(self.scene.picture):
            if (finding.code, finding.params) == (self._finding.code, self._finding.params):
                return finding
        return self._finding


class PodsPage(OnePanel):
    """Every pod."""

    WORD: ClassVar[str] = "pods"

    def view(self, cells: int) -> list[Line]:
        """Those that are not ready first."""
        return pods.page(self.scene, cells)


class HelpPage(OnePanel):
    """Keys and marks."""

    WORD: ClassVar[str] = "help"

    def view(self, cells: int) -> list[Line]:
        """The text."""
        return frame.help_page(self.scene, cells)


class MenuPage(OnePanel):
    """Everything there is, with its key."""

    WORD: ClassVar[str] = "menu"

    def __init__(self) -> None:
        super().__init__()
        self._chosen = 0

    def view(self, cells: int) -> list[Line]:
        """The entries."""
        return frame.menu(self.scene, cells, self._chosen)

    def keys(self) -> list[tuple[str, str]]:
        """Choose, back."""
        return [
            ("keyname.up-down", "choose"),
            ("Esc", "back"),
            ("F1", "help"),
            ("F9", "language"),
            ("Q", "leave"),
        ]

    def action_move(self, way: int) -> None:
        """Choose another entry."""
        self._chosen = (self._chosen + way) % len(frame.ENTRIES)
        self.redraw()

    def action_enter(self) -> None:
        """Do what the chosen entry's key does."""
        self.ui.go(frame.ENTRIES[self._chosen][1])


class ConfirmPage(OnePanel):
    """A question; Enter = yes, Esc = no, the same on every keyboard."""

    def __init__(self, word: str, question: Callable[[], list[str]], then: Callable[[], None]) -> None:
        super().__init__()
        self._word = word
        self._question = question
        self._then = then

    def heading(self) -> str:
        """What is asked about."""
        return self.scene.words(f"screen.{self._word}")

    def view(self, cells: int) -> list[Line]:
        """The question and the two keys."""
        found: list[Line] = []
        for text in self._question():
            found += [*paragraph(text, cells, "" if found else "strong"), line("")]
        return found + paragraph(self.scene.words("confirm.keys"), cells, "key")

    def keys(self) -> list[tuple[str, str]]:
        """Yes and no."""
        return [("Enter", "yes"), ("Esc", "no"), ("F9", "language")]

    def action_enter(self) -> None:
        """Yes."""
        self.dismiss()
        self._then()
