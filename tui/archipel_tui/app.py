"""The technician's screen as a Textual app: holds the picture, the workers that feed it, and the way between
screens.

Started by `main`. All power sits in the agent behind its socket; this process only shows and asks.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from archipel_contract.api import Checks
from archipel_contract.catalogue.ui import Words, table
from archipel_contract.client import AgentClient
from archipel_contract.findings import Finding
from archipel_contract.jobs import Job, Verb
from archipel_tui import feed, store
from archipel_tui.clock import Clock
from archipel_tui.driver import ConsoleDriver
from archipel_tui.screens.base import Page
from archipel_tui.screens.doctor import DoctorPage
from archipel_tui.screens.home import HomePage
from archipel_tui.screens.job import JobPage, Stage
from archipel_tui.screens.logs import LogsPage
from archipel_tui.screens.pages import ConfirmPage, HelpPage, MenuPage, PodsPage, WhyPage
from archipel_tui.screens.ui import Options
from archipel_tui.store import Change, Picture, Scene
from archipel_tui.style import CSS
from archipel_tui.terminal import Mode, Terminal
from archipel_tui.theme import THEME

DRAW_DELAY = 0.05  # seconds in which several changes become one repaint; a job's log comes in bursts
TICK = 1.0

# The keys of tui and agent are plain: nothing needs Shift, Ctrl or a key that keyboards place differently.
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


class Changed(Message):
    """A worker learned something."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class ArchipelApp(App[None], inherit_bindings=False):
    """The app; `screen` is always a `Page`."""

    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = _bindings()

    def __init__(
        self, socket: Path, terminal: Terminal, language: str = "en", clock: Clock | None = None
    ) -> None:
        self.terminal = terminal  # the driver reads it
        # Said here and not by the theme alone: the base class chooses what "no colour" means before it has our theme.
        super().__init__(driver_class=ConsoleDriver, ansi_color=True)
        self.client = AgentClient(socket)
        self.picture = Picture()
        self.words = Words(language, terminal.ascii_only)
        table()  # read from disk before the loop runs
        self.clock = clock or Clock()
        self.animation_level = "none"
        self.register_theme(THEME)
        self.theme = THEME.name  # before the first paint, or there are several
        self.set_class(terminal.ascii_only, "-ascii")
        self._stop = Event()
        self._followed = ""
        self._drawing = False
        self._minute = -1

    @property
    def scene(self) -> Scene:
        """What the views draw from, now."""
        return Scene(self.picture, self.words, self.clock.now(), self.clock.monotonic())

    def get_default_screen(self) -> Screen[None]:
        """Home."""
        return HomePage()

    def on_mount(self) -> None:
        """Start listening to the agent."""
        listen = partial(feed.follow_reports, self.client, self._tell, self.clock, self._stop)
        self.run_worker(listen, thread=True, group="reports")
        self.set_interval(TICK, self._tick)

    def on_unmount(self) -> None:
        """Let the workers end: hang up what they wait for."""
        self._stop.set()
        self.client.close()

    def on_changed(self, message: Changed) -> None:
        """Take what a worker learned."""
        self._apply(message.change)

    def watch_job(self, job: Job) -> None:
        """Follow a job until it is over."""
        self._apply(store.began(job, self.clock.monotonic()))
        self._follow(job.id)

    def forget_checks(self) -> None:
        """The checks are being run again."""
        self._apply(store.checked(None))

    def take_checks(self, checks: Checks) -> None:
        """The checks were run."""
        self._apply(store.checked(checks))

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
        if self._driver is not None and self.terminal.mode is not Mode.RICH:
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

    def _tell(self, change: Change) -> None:
        self.post_message(Changed(change))

    def _apply(self, change: Change) -> None:
        before = self.picture
        self.picture = change(before)
        report = self.picture.report
        if report is not None and report.job:
            self._follow(report.job)
        if self.picture is not before and not self._drawing:
            self._drawing = True
            self.set_timer(DRAW_DELAY, self._draw)

    def _follow(self, job_id: str) -> None:
        if job_id != self._followed:
            self._followed = job_id
            watch = partial(feed.follow_job, self.client, job_id, self._tell, self.clock, self._stop)
            self.run_worker(watch, thread=True, group="job")

    def _draw(self) -> None:
        self._drawing = False
        if isinstance(self.screen, Page):
            self.screen.redraw()

    def _tick(self) -> None:
        """Redraw what grows older by itself: the clock, the age of a report, the time of a step."""
        minute = self.clock.now().minute
        if minute != self._minute or self.picture.job_runs or self.picture.away_since is not None:
            self._minute = minute
            self._draw()


_PAGES: dict[str, Callable[[], Page]] = {
    "menu": MenuPage,
    "doctor": DoctorPage,
    "pods": PodsPage,
    "logs": LogsPage,
}
