"""A numbered menu for terminals that cannot move a cursor, and for screen readers and braille: lines in,
lines out.

Started by `main` with `--plain` or where `terminal` decides so. Shows the same views as the screens; no
Textual.
"""

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from archipel_contract.api import Checks, LogLines
from archipel_contract.catalogue.ui import Words
from archipel_contract.client import AgentAway, AgentClient, ApiRefused
from archipel_contract.exits import Exit
from archipel_contract.facts import NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.jobs import Job, JobEvent, JobRequest, Plan, StepState, Verb
from archipel_contract.wire import WireError
from archipel_contract.wrapping import beside
from archipel_tui import store
from archipel_tui.clock import Clock
from archipel_tui.store import Picture, Scene
from archipel_tui.text import Line, clean
from archipel_tui.views import doctor, frame, hardware, home, job, logs, pods, why
from archipel_tui.views.words import said

SLOW_TIMEOUT = 60.0  # seconds for what runs checks
LOG_LINES = "40"


@dataclass(frozen=True, slots=True)
class Teletype:
    """Lines in and out; `ask` raises EOFError at the end of the input."""

    ask: Callable[[str], str]
    show: Callable[[str], None]
    cells: int


def on_terminal() -> Teletype:
    """Return standard input and output."""
    return Teletype(
        ask=input,
        show=lambda text: print(text, flush=True),
        cells=min(shutil.get_terminal_size().columns, 100),
    )


class PlainMenu:
    """The menu; `run` returns when the person leaves."""

    def __init__(self, socket: Path, words: Words, teletype: Teletype, clock: Clock | None = None) -> None:
        self._client = AgentClient(socket)
        self._words = words
        self._teletype = teletype
        self._clock = clock or Clock()
        self._picture = Picture()

    def run(self) -> int:
        """Show Home, then do what is chosen, until q or the end of the input."""
        actions: dict[str, Callable[[], None]] = {
            "0": self._menu,
            "1": self._home,
            "2": self._doctor,
            "4": lambda: self._page("pods", pods.page(self._scene(), self._teletype.cells)),
            "6": self._logs,
            "8": lambda: self._confirmed(Verb.SUPPORT),
            "u": self._up,
            "s": lambda: self._confirmed(Verb.DOWN),
            "j": self._watch_current,
            "g": self._switch_language,
            "h": lambda: self._page("help", frame.help_page(self._scene(), self._teletype.cells)),
        }
        action: Callable[[], None] = self._home
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            while True:
                self._guarded(action)
                self._menu()
                word = self._ask("plain.choose").lower()
                if word in ("q", "f10"):
                    break
                action = actions.get(word, partial(self._show_text, self._words("plain.unknown", word=word)))
        return Exit.OK

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do it; when the agent is away or refuses, say so and go on."""
        try:
            self._apply(store.heard(self._client.call("report"), self._clock.monotonic()))
            action()
        except ApiRefused as error:
            message = f"{error.problem.message} {error.problem.remedy}".strip()
            self._show_text("x " + self._words("job.refused", message=message))
        except (AgentAway, WireError) as error:
            self._apply(store.silent(str(error), self._clock.now()))
            self._lines(frame.away(self._scene(), self._teletype.cells))

    def _home(self) -> None:
        scene, cells = self._scene(), self._teletype.cells
        body = [*home.this_box(scene, cells), *hardware.page(scene, cells)]
        body += [*home.advice(scene, cells), *home.some_pods(scene, cells, 6)]
        self._page("home", body)

    def _menu(self) -> None:
        parts = [
            f"{key} {self._words(f'menu.{word}')}" for key, word in frame.ENTRIES if not key.startswith("F")
        ]
        parts.append(f"G {self._words('menu.language')}")
        for part in parts:
            self._show_text("  " + part)

    def _doctor(self) -> None:
        self._show_text(self._words("doctor.running"))
        checks: Checks = self._client.call("checks", timeout=SLOW_TIMEOUT)
        self._apply(store.checked(checks))
        scene = self._scene()
        self._page(
            "doctor", [((doctor.counts(scene), ""),), *doctor.listing(scene, self._teletype.cells, -1)]
        )
        findings = store.all_findings(self._picture)
        for number, finding in enumerate(findings, 1):
            self._show_text(f"  {number}  {why.page(scene, 1000, finding)[0][0][0]}")
        while findings:
            word = self._ask("plain.finding")
            if not (word.isdigit() and 1 <= int(word) <= len(findings)):
                break
            self._explain(findings[int(word) - 1])

    def _explain(self, finding: Finding) -> None:
        self._page("why", why.page(self._scene(), self._teletype.cells, finding))
        if finding.fix is not None:
            title = why.page(self._scene(), 1000, finding)[0][0][0]
            self._show_text(self._words("confirm.fix", title=title))
            text = said(finding, self._words)
            for number, step in enumerate(text.plan, 1):
                self._show_text(f"  {number}. {step}")
            if text.undo:
                self._show_text(self._words("confirm.fix-undo", undo=text.undo))
            if self._ask("plain.yes") == "1":
                self._start(Verb.FIX, {"code": finding.fix.code})

    def _logs(self) -> None:
        for source in ("k3s", "agent"):
            lines: LogLines = self._client.call("logs", source=source, lines=LOG_LINES)
            self._show_text("== " + logs.heading(self._scene(), lines, source, only_errors=False))
            self._lines(logs.page(self._scene(), self._teletype.cells, lines, only_errors=False))

    def _up(self) -> None:
        options: dict[str, Any] = {}
        if self._picture.report is not None and self._picture.report.site is None:
            facts: NodeFacts = self._client.call("facts")
            found = job.candidates(facts)
            if len(found) > 1:
                self._lines(job.choice(self._scene(), self._teletype.cells, facts, -1))
                for number, (name, address) in enumerate(found, 1):
                    self._show_text(f"  {number}  {name} {address}")
                word = self._ask("plain.choose")
                if not (word.isdigit() and 1 <= int(word) <= len(found)):
                    return
                options = dict(zip(("interface", "node_ip"), found[int(word) - 1], strict=True))
        plan: Plan = self._client.call("plan", JobRequest(verb=Verb.UP, options=options), SLOW_TIMEOUT)
        self._page("up", job.plan(self._scene(), self._teletype.cells, plan))
        if not job.is_blocked(plan) and self._ask("plain.yes") == "1":
            self._start(Verb.UP, options)

    def _confirmed(self, verb: Verb) -> None:
        self._show_text(self._words(f"confirm.{verb}"))
        if self._ask("plain.yes") == "1":
            self._start(verb, {})

    def _start(self, verb: Verb, options: dict[str, Any]) -> None:
        request = JobRequest(verb=verb, options=options, key=secrets.token_hex(8))
        self._watch(self._client.call("start_job", request))

    def _watch_current(self) -> None:
        report = self._picture.report
        if report is not None and report.job:
            self._watch(self._client.call("job", job_id=report.job))

    def _watch(self, begun: Job) -> None:
        """Print every step as it changes, and every log line, until the job is over or Ctrl-C; the job goes
        on.
        """
        self._apply(store.began(begun, self._clock.monotonic()))
        self._show_text(self._words("job.goes-on"))
        said: set[tuple[str, str, str]] = set()
        with contextlib.suppress(KeyboardInterrupt):
            events: Iterable[JobEvent] = self._client.stream("watch_job", job_id=begun.id, after="0")
            for event in events:
                self._apply(store.happened(event, self._clock.monotonic()))
                if event.line:
                    self._show_text("  " + self._words.shown(event.line))
                for step in event.job.steps:
                    now = (step.slug, step.state, step.waiting_for)
                    if step.state is not StepState.PENDING and now not in said:
                        said.add(now)
                        only = replace(event.job, steps=(step,))
                        self._lines(job.steps(self._scene(), self._teletype.cells, only))
            if self._picture.job is not None:
                self._lines(job.progress(self._scene(), self._teletype.cells, self._picture.job))

    def _switch_language(self) -> None:
        self._words = Words("de" if self._words.language == "en" else "en", self._words.ascii_only)
        self._home()

    def _page(self, word: str, body: list[Line]) -> None:
        scene = self._scene()
        self._lines([frame.title(scene, self._teletype.cells, self._words(f"screen.{word}")), *body])

    def _lines(self, lines: list[Line]) -> None:
        for pieces in lines:
            self._teletype.show("".join(text for text, _ in pieces).rstrip())

    def _show_text(self, text: str) -> None:
        said = clean(text).lstrip(" ")
        for part in beside(" " * (len(text) - len(text.lstrip(" "))), said, self._teletype.cells):
            self._teletype.show(part)

    def _ask(self, key: str) -> str:
        return self._teletype.ask(f"{self._words(key)}: ").strip()

    def _apply(self, change: store.Change) -> None:
        self._picture = change(self._picture)

    def _scene(self) -> Scene:
        return Scene(self._picture, self._words, self._clock.now(), self._clock.monotonic())
