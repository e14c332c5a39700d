"""A job as a guided action: which network, what would be done, then live progress and how it ended.

The job belongs to the agent: leaving this screen, or the program, does not touch it.
"""

import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from textual.widget import Widget

from archipel_contract.facts import NodeFacts
from archipel_contract.jobs import Job, JobRequest, JobState, Plan, Verb
from archipel_tui.screens.base import Page
from archipel_tui.screens.ui import Options
from archipel_tui.text import Line, line, paragraph
from archipel_tui.views import job as view
from archipel_tui.widgets.lines import Lines, Panel

PLAN_TIMEOUT = 60.0  # a plan runs the checks of a preflight


class Stage(StrEnum):
    """Where the guided action stands."""

    ASKING = "asking"
    STARTING = "starting"
    CHOICE = "choice"
    PLAN = "plan"
    PROGRESS = "progress"


class JobPage(Page):
    """Plans, starts and watches one job; `stage` says where to begin.

    ASKING shows the plan first, STARTING starts at once (the question was asked already), PROGRESS watches
    the job the picture knows.
    """

    def __init__(self, verb: Verb, options: Options | None = None, stage: Stage = Stage.ASKING) -> None:
        super().__init__()
        self._verb = verb
        self._options: Options = dict(options or {})
        self._stage = stage
        self._facts: NodeFacts | None = None
        self._chosen = 0
        self._plan: Plan | None = None
        self._problem = ""
        self._key = secrets.token_hex(8)  # the same for each press of Enter, so that two start one job

    def body(self) -> Iterable[Widget]:
        """The panel for choice, plan and steps; while it runs also the progress and the log."""
        yield Panel(self._main, self._main_title, id="steps")
        yield Lines(self._progress, id="progress")
        yield Panel(self._log, lambda: self.scene.words("box.log"), id="log")

    def on_mount(self) -> None:
        """Find out what to ask."""
        if self._stage is Stage.STARTING:
            self._start()
        elif self._stage is Stage.ASKING:
            report = self.scene.picture.report
            if self._verb is Verb.UP and (report is None or report.site is None):
                self.ask("facts", "facts")
            else:
                self._ask_plan()

    def heading(self) -> str:
        """What the job does."""
        job = self._job()
        return self.scene.words(f"screen.{job.verb if job and self._stage is Stage.PROGRESS else self._verb}")

    def panel(self) -> Panel:
        """The panel of steps scrolls."""
        return self.query_one("#steps", Panel)

    def keys(self) -> list[tuple[str, str]]:
        """What is possible at this stage."""
        back = [("Esc", "back"), ("F1", "help"), ("F9", "language")]
        if self._stage is Stage.CHOICE:
            return [("keyname.up-down", "choose"), ("Enter", "next"), *back]
        if self._stage is Stage.PLAN:
            start = [("Enter", "start")] if self._plan and not view.is_blocked(self._plan) else []
            return [*start, ("A", "again"), ("keyname.page", "scroll"), *back]
        job = self._job()
        if self._stage is Stage.PROGRESS and job is not None:
            if not job.is_over:
                return [("C", "undo"), ("6", "logs"), *back]
            retry = [("R", "retry")] if job.state is JobState.FAILED else []
            why = [("W", "why")] if job.finding is not None else []
            return [*retry, *why, ("Enter", "home"), *back]
        return [("A", "again"), *back] if self._problem else back

    def action_move(self, way: int) -> None:
        """Choose a network, or scroll."""
        if self._stage is Stage.CHOICE and self._facts is not None:
            self._chosen = (self._chosen + way) % len(view.candidates(self._facts))
            self.redraw()
        else:
            super().action_move(way)

    def action_enter(self) -> None:
        """Go on: from the choice to the plan, from the plan to the job, from its end home."""
        if self._stage is Stage.CHOICE and self._facts is not None:
            name, address = view.candidates(self._facts)[self._chosen]
            self._options |= {"interface": name, "node_ip": address}
            self._ask_plan()
        elif self._stage is Stage.PLAN and self._plan is not None and not view.is_blocked(self._plan):
            self._start()
        elif self._stage is Stage.PROGRESS and (job := self._job()) is not None and job.is_over:
            self.dismiss()

    def action_letter(self, key: str) -> None:
        """A plan again, C stop and undo, R go on after a failure, W why it failed."""
        job = self._job()
        running = self._stage is Stage.PROGRESS and job is not None
        if key == "a" and self._stage in (Stage.PLAN, Stage.ASKING):
            self._ask_plan()
        elif key == "c" and running and job is not None and not job.is_over:
            number = job.id
            words = lambda: [self.scene.words("confirm.undo")]  # noqa: E731 - asked again when the language changes
            self.ui.confirm(job.verb, words, lambda: self.ask("cancel", "cancel_job", job_id=number))
        elif key == "r" and running and job is not None and job.state is JobState.FAILED:
            self._verb, self._options, self._key = job.verb, dict(job.options), secrets.token_hex(8)
            self._start()
        elif key == "w" and job is not None and job.finding is not None:
            self.ui.explain(job.finding)

    def answered(self, what: str, value: Any) -> None:
        """Facts lead to a choice or a plan, a plan is shown, a job is watched."""
        if isinstance(value, NodeFacts):
            self._facts = value
            if len(view.candidates(value)) > 1:
                self._stage = Stage.CHOICE
            else:
                self._ask_plan()
        elif isinstance(value, Plan):
            self._plan, self._stage = value, Stage.PLAN
        elif isinstance(value, Job):
            self._stage = Stage.PROGRESS
            self.ui.watch_job(value)

    def failed(self, what: str, reason: str) -> None:
        """Say why, and leave A to try again."""
        self._problem = reason

    def redraw(self) -> None:
        """Also keep the running step in sight."""
        self.set_class(self._stage is Stage.PROGRESS, "-progress")
        super().redraw()
        job = self._job()
        if self._stage is Stage.PROGRESS and job is not None and self.is_mounted:
            self.call_after_refresh(self._follow, job)

    def _follow(self, job: Job) -> None:
        for row, pieces in enumerate(self.panel().content.lines):
            if pieces and pieces[0][0] in ("[ >> ]", "[FAIL]"):
                self.panel().show_row(row + (2 if not job.is_over else 0))

    def _ask_plan(self) -> None:
        self._plan, self._problem, self._stage = None, "", Stage.ASKING
        self.ask("plan", "plan", JobRequest(verb=self._verb, options=self._options), PLAN_TIMEOUT)
        self.redraw()

    def _start(self) -> None:
        self._problem = ""
        self.ask("start", "start_job", JobRequest(verb=self._verb, options=self._options, key=self._key))

    def _job(self) -> Job | None:
        return self.scene.picture.job

    def _main_title(self) -> str:
        names = {Stage.CHOICE: "choose-address", Stage.PROGRESS: "steps"}
        return self.scene.words(f"box.{names.get(self._stage, 'plan')}")

    def _main(self, cells: int) -> list[Line]:
        scene, job = self.scene, self._job()
        problem = paragraph("x " + scene.words.shown(self._problem), cells, "bad") if self._problem else []
        if self._stage is Stage.PROGRESS:
            return problem + (view.steps(scene, cells, job) if job is not None else [])
        if self._stage is Stage.CHOICE and self._facts is not None:
            return problem + view.choice(scene, cells, self._facts, self._chosen)
        if problem or self._stage is Stage.STARTING:
            return problem
        shown = view.plan(scene, cells, self._plan)
        if self._plan is not None and not view.is_blocked(self._plan):
            shown = [*paragraph(scene.words("job.plan-start"), cells, "strong"), line(""), *shown]
        return shown

    def _progress(self, cells: int) -> list[Line]:
        job = self._job()
        return view.progress(self.scene, cells, job) if job is not None else []

    def _log(self, cells: int) -> list[Line]:
        rows = 12 if self.has_class("-tall") else 6 if self.has_class("-high") else 3
        return view.log(self.scene, cells, rows)
