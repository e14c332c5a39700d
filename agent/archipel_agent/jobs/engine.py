"""Take one job through its story: journal, run, verify; resume after a cut; undo when asked to stop.

Before a step is touched, the journal says `begin`; when it is verified, `done`. A job cut off anywhere runs its story
again from the top: steps that are done say so in their check. A job asked to stop undoes, last first, every step the
journal shows as begun, and goes on undoing after a cut, because the journal says `turn` first.

A step that fails is undone itself; the steps before it stay, so that `up` again goes on where it stopped.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from archipel_agent.host.clock import text
from archipel_agent.jobs.clock import JobClock
from archipel_agent.ports import Cancelled, CommandFailed
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_agent.steps.base import Context, Progress, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding
from archipel_contract.jobs import NOTHING_CHANGED, Job, JobState, StepState
from archipel_contract.jobs import Step as StepView

LOG = logging.getLogger(__name__)
TICK_SECONDS = (
    1.0  # how often a waiting step is shown again even if nothing changed, so that its time is seen to pass
)

Emit = Callable[[Job, str], None]  # the job as it stands, and a log line (empty for none)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a job's journal says it stands."""

    begun: tuple[str, ...]  # steps touched and not undone, in their order
    undoing: bool


def read_journal(store: Store, job_id: str) -> Cut:
    """Return where the job stands."""
    begun: list[str] = []
    undoing = False
    for step, phase, _ in store.journal(job_id):
        if phase == "turn":
            undoing = True
        elif phase == "begin" and step not in begun:
            begun.append(step)
        elif phase in ("undone", "untouched") and step in begun:
            begun.remove(step)
    return Cut(tuple(begun), undoing)


class Engine:
    """Runs one job in the calling thread."""

    def __init__(
        self, job: Job, story: tuple[Step, ...], context: Context, clock: JobClock, emit: Emit
    ) -> None:
        """`context` has its ports' clock replaced by `clock`; every change of the job goes to `emit`."""
        self._story = story
        self._store = context.store
        self._clock = clock
        self._emit = emit
        self._context = replace(context, progress=Progress(self._waiting, self._line), verified=set())
        views = tuple(
            StepView(slug=step.slug, title=step.title, usual_seconds=context.store.usual_seconds(step.slug))
            for step in story
        )
        self._job = replace(job, state=JobState.RUNNING, steps=views, finding=None)
        self._index = 0
        self._began = 0.0
        self._shown = 0.0

    def run(self) -> Job:
        """Take the job to its end and return it; never raises for what steps do."""
        try:
            return self._take()
        except (
            StateUnusable
        ) as error:  # not even the way back can be journalled: stop where we are, and say so
            return self._stranded(error)

    def _take(self) -> Job:
        self._keep()
        cut = read_journal(self._store, self._job.id)
        if cut.undoing:
            return self._undo_all(cut.begun)
        try:
            for index in range(len(self._story)):
                self._step(index)
        except StepFailed as error:
            return self._failed(error.finding, error.refused)
        except Cancelled:
            return self._undo_all(read_journal(self._store, self._job.id).begun)
        except (CommandFailed, OSError, StateUnusable) as error:
            return self._failed(self._unforeseen(error), refused=False)
        except Exception as error:  # the task boundary: a defect must not take the agent down
            LOG.exception("job %s: step %s has a defect", self._job.id, self._story[self._index].slug)
            return self._failed(self._unforeseen(error), refused=False)
        return self._end(JobState.SUCCEEDED, self._success_sentence())

    def _step(self, index: int) -> None:
        step = self._story[index]
        self._index, self._began = index, self._clock.monotonic()
        self._clock.check()
        self._show(StepState.RUNNING)
        already = step.check(self._context)
        if already is not None:
            self._show(StepState.ALREADY, already)
            return
        self._store.write_journal(self._job.id, step.slug, "begin")
        try:
            said = step.run(self._context)
            step.verify(self._context)
        except StepFailed as error:
            if error.refused:  # it looked and changed nothing
                self._store.write_journal(self._job.id, step.slug, "untouched")
            raise
        self._store.write_journal(self._job.id, step.slug, "done" if step.changes else "untouched")
        self._store.keep_duration(step.slug, self._elapsed())
        self._show(StepState.DONE, said)

    def _failed(self, why: Finding, refused: bool) -> Job:
        step = self._story[self._index]
        self._show(StepState.FAILED, why.summary)
        if not refused:
            self._clock.shield()
            self._undo(step)
        changed_nothing = refused and not read_journal(self._store, self._job.id).begun
        sentence = f"{NOTHING_CHANGED} {why.summary}" if changed_nothing else why.summary
        self._job = replace(self._job, finding=why)
        return self._end(JobState.FAILED, sentence)

    def _stranded(self, error: StateUnusable) -> Job:
        """Show the job's end without keeping it; the next job, or the next start of the agent, clears it up."""
        LOG.error("job %s: %s", self._job.id, error)
        why = finding(error.code, path=str(error.path), problem=error.detail, free="0 MB", share="0 %")
        ended = text(self._clock.now())
        self._job = replace(
            self._job, state=JobState.FAILED, sentence=why.summary, finding=why, finished_at=ended
        )
        self._emit(self._job, "")
        return self._job

    def _undo_all(self, begun: tuple[str, ...]) -> Job:
        """Undo what the journal shows as begun, the last first."""
        self._clock.shield()
        self._store.write_journal(self._job.id, "", "turn")
        for index in reversed(range(len(self._story))):
            if self._story[index].slug in begun:
                self._index, self._began = index, self._clock.monotonic()
                self._undo(self._story[index])
        return self._end(JobState.CANCELLED, "Stopped as asked; what had been done was undone.")

    def _undo(self, step: Step) -> None:
        view = self._job.steps[self._index]
        self._show(view.state, view.said, "the way back")
        try:
            step.undo(self._context)
        except (CommandFailed, OSError, StepFailed) as error:
            # The rest is still undone; what stayed is said, and `remove` takes it.
            self._line(f"{step.title}: could not be undone: {error}")
        self._store.write_journal(self._job.id, step.slug, "undone")
        self._show(StepState.FAILED if view.state is StepState.FAILED else StepState.UNDONE, view.said)

    def _end(self, state: JobState, sentence: str) -> Job:
        finished = text(self._clock.now())
        self._job = replace(
            self._job, state=state, sentence=sentence, finished_at=finished, result=self._result()
        )
        self._keep()
        return self._job

    def _result(self) -> dict[str, str]:
        kept = {"path": self._store.value("support_bundle"), "left": self._store.value("left_behind")}
        wanted = {"support": ("path",), "remove": ("left",)}.get(self._job.verb.value, ())
        return {name: value for name in wanted if (value := kept[name])}

    def _success_sentence(self) -> str:
        return next((one.said for one in reversed(self._job.steps) if one.said), "")

    def _unforeseen(self, error: Exception) -> Finding:
        step = self._story[self._index]
        return finding("job-failed", step=step.slug, problem=str(error) or type(error).__name__)

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _waiting(self, what: str) -> None:
        view = self._job.steps[self._index]
        if view.waiting_for != what or self._clock.monotonic() - self._shown >= TICK_SECONDS:
            self._show(view.state, view.said, what)

    def _line(self, line: str) -> None:
        self._emit(self._job, line)

    def _show(self, state: StepState, said: str = "", waiting_for: str = "") -> None:
        view = replace(
            self._job.steps[self._index],
            state=state,
            said=said,
            waiting_for=waiting_for,
            seconds=round(self._elapsed(), 2),
        )
        steps = (*self._job.steps[: self._index], view, *self._job.steps[self._index + 1 :])
        self._job = replace(self._job, steps=steps)
        self._shown = self._clock.monotonic()
        self._emit(self._job, "")

    def _keep(self) -> None:
        self._store.keep_job(self._job)
        self._emit(self._job, "")
