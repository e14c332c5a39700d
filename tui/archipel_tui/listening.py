"""The part of the app that listens: the picture, the workers that change it, and when the screens are drawn again.

`app` builds the screens and keys on top. All power sits in the agent behind its socket; this process only shows and asks.
"""

from functools import partial
from pathlib import Path
from threading import Event

from textual.app import App, ScreenStackError
from textual.message import Message

from archipel_contract.api import Checks
from archipel_contract.catalogue.ui import Words, table
from archipel_contract.client import AgentClient
from archipel_contract.jobs import Job
from archipel_tui import feed, store
from archipel_tui.clock import Clock
from archipel_tui.driver import ConsoleDriver
from archipel_tui.screens.base import Page
from archipel_tui.store import Change, Picture, Scene
from archipel_tui.terminal import Terminal

DRAW_DELAY = 0.05  # seconds in which several changes become one repaint; a job's log comes in bursts
TICK = 1.0


class Changed(Message):
    """A worker learned something."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class Listening(App[None], inherit_bindings=False):
    """An app that knows what the agent last said."""

    def __init__(self, socket: Path, terminal: Terminal, language: str, clock: Clock) -> None:
        self.terminal = terminal  # the driver reads it
        # Said here and not by the theme alone: the base class chooses what "no colour" means before it has our theme.
        super().__init__(driver_class=ConsoleDriver, ansi_color=True)
        self.client = AgentClient(socket)
        self.picture = Picture()
        self.words = Words(language, terminal.ascii_only)
        table()  # read from disk before the loop runs
        self.clock = clock
        self._stop = Event()
        self._followed = ""
        self._drawing = False
        self._minute = -1

    @property
    def scene(self) -> Scene:
        """What the views draw from, now."""
        return Scene(self.picture, self.words, self.clock.now(), self.clock.monotonic())

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
        try:
            screen = self.screen
        except ScreenStackError:
            return  # the program is ending, and a worker had one more thing to tell
        if isinstance(screen, Page):
            screen.redraw()

    def _tick(self) -> None:
        """Redraw what grows older by itself: the clock, the age of a report, the time of a step."""
        minute = self.clock.now().minute
        if minute != self._minute or self.picture.job_runs or self.picture.away_since is not None:
            self._minute = minute
            self._draw()
