"""The technician's screen as a Textual app: its keys, and the way between screens.

Started by `main`. What it knows and how it listens is in `listening`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from archipel_contract.catalogue.ui import Words
from archipel_contract.findings import Finding
from archipel_contract.jobs import Verb
from archipel_tui.clock import Clock
from archipel_tui.listening import Listening
from archipel_tui.screens.base import Page
from archipel_tui.screens.doctor import DoctorPage
from archipel_tui.screens.home import HomePage
from archipel_tui.screens.job import JobPage, Stage
from archipel_tui.screens.logs import LogsPage
from archipel_tui.screens.pages import ConfirmPage, HelpPage, MenuPage, PodsPage, WhyPage
from archipel_tui.screens.ui import Options
from archipel_tui.style import CSS
from archipel_tui.terminal import Terminal
from archipel_tui.theme import THEME

# Letters that belong to single screens. All keys are plain: nothing needs Shift, Ctrl or a key that
# keyboards place differently.
_PAGE_LETTERS = "wfancrte"


def _bindings() -> list[BindingType]:
    screens = {"0": "menu", "1": "home", "2,f2": "doctor", "4,f4": "pods", "6,f6": "logs", "8,f8": "support"}
    actions = {"u": "up", "s": "down", "j": "progress", "h": "help", "g": "language", "q": "leave"}
    found = [Binding(key, f"go('{name}')", show=False) for key, name in screens.items()]
    found += [Binding(f"{key},{key.upper()}", f"go('{name}')", show=False) for key, name in actions.items()]
    others = {"f1": "help", "f9": "language", "f10,ctrl+c": "leave"}
    found += [Binding(key, f"go('{name}')", show=False) for key, name in others.items()]
    found += [Binding(f"{key},{key.upper()}", f"screen.letter('{key}')", show=False) for key in _PAGE_LETTERS]
    moves = {
        "up": "move(-1)",
        "down": "move(1)",
        "pageup": "page(-1)",
        "pagedown,space": "page(1)",
        "home": "end(-1)",
        "end": "end(1)",
        "enter": "enter",
    }
    found += [Binding(key, f"screen.{action}", show=False) for key, action in moves.items()]
    return [*found, Binding("escape", "back", show=False), Binding("ctrl+l", "repaint", show=False)]


class ArchipelApp(Listening, inherit_bindings=False):
    """The app; `screen` is always a `Page`."""

    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = _bindings()

    def __init__(
        self, socket: Path, terminal: Terminal, language: str = "en", clock: Clock | None = None
    ) -> None:
        super().__init__(socket, terminal, language, clock or Clock())
        self.animation_level = "none"
        self.register_theme(THEME)
        self.theme = THEME.name  # before the first paint, or there are several
        self.set_class(terminal.ascii_only, "-ascii")

    def get_default_screen(self) -> Screen[None]:
        """Home."""
        return HomePage()

    def explain(self, finding: Finding) -> None:
        """Open the screen that explains this finding."""
        self.push_screen(WhyPage(finding))

    def confirm(self, title: str, question: Callable[[], list[str]], then: Callable[[], None]) -> None:
        """Ask; on Enter go on with `then`."""
        self.push_screen(ConfirmPage(title, question, then))

    def begin(self, verb: Verb, options: Options) -> None:
        """Start a job and show it."""
        self._show(JobPage(verb, options, Stage.STARTING))

    def go(self, name: str) -> None:
        """Do what a key that works everywhere does."""
        if name == "leave":
            self.exit()
        elif name == "language":
            self._switch_language()
        elif name == "help":
            if not isinstance(self.screen, HelpPage):
                self.push_screen(HelpPage())
        else:
            self._open(name)

    def action_go(self, name: str) -> None:
        """A key that works everywhere."""
        self.go(name)

    async def action_back(self) -> None:
        """Esc: to the screen below; on Home nothing."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def action_repaint(self) -> None:
        """Ctrl+L: draw everything again, over whatever the kernel wrote on the screen."""
        if self._driver is not None:
            self._driver.write("\x1b[2J")
        self.screen.refresh(layout=True)

    def _open(self, name: str) -> None:
        job = self.picture.job
        if name == "home":
            self._show(None)
        elif name in ("down", "support"):
            verb = Verb(name)
            self._show(
                ConfirmPage(name, lambda: [self.words(f"confirm.{name}")], lambda: self.begin(verb, {}))
            )
        elif job is not None and (name == "progress" or (name == "up" and self.picture.job_runs)):
            self._show(JobPage(job.verb, stage=Stage.PROGRESS))
        elif name == "up":
            self._show(JobPage(Verb.UP))
        elif name in _PAGES:
            self._show(_PAGES[name]())

    def _show(self, page: Page | None) -> None:
        """Go to Home and from there to `page`: no screen is ever deeper than that, questions and help aside."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if page is not None:
            self.push_screen(page)

    def _switch_language(self) -> None:
        other = "de" if self.words.language == "en" else "en"
        self.words = Words(other, self.terminal.ascii_only)
        self._draw()


_PAGES: dict[str, Callable[[], Page]] = {
    "menu": MenuPage,
    "doctor": DoctorPage,
    "pods": PodsPage,
    "logs": LogsPage,
}
