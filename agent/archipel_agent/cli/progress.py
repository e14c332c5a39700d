"""Shows a job as it goes: one line a step that lives on a terminal, one line a change elsewhere.

Written to standard error when the answer is JSON, else to standard output. Decides nothing.
"""

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TextIO

from archipel_agent.cli.output import Mark, Screen, duration
from archipel_contract.jobs import Job, JobEvent, Step, StepState

MARK_OF_STATE = {
    StepState.PENDING: Mark.NONE,
    StepState.RUNNING: Mark.NOW,
    StepState.DONE: Mark.GOOD,
    StepState.ALREADY: Mark.GOOD,
    StepState.FAILED: Mark.BAD,
    StepState.UNDONE: Mark.WARN,
    StepState.UNKNOWN: Mark.OPEN,
}
OVER = (StepState.DONE, StepState.ALREADY, StepState.FAILED, StepState.UNDONE)
CLEAR = "\r\033[K"
TICK_SECONDS = 1.0
_FIGURE = re.compile(r"\d[\d,]*")


class Progress(Protocol):
    """Something that shows a job."""

    def show(self, event: JobEvent) -> None:
        """Show what changed with this event."""
        ...

    def say(self, text: str) -> None:
        """Show a remark between the steps."""
        ...

    def close(self) -> None:
        """Leave the terminal as a line's end."""
        ...


def progress(screen: Screen, monotonic: Callable[[], float]) -> Progress:
    """Return what suits the screen: `screen.color` off on a terminal does not make it a plain one, TERM=dumb does."""
    stream = screen.err if screen.as_json else screen.out
    if stream.isatty() and _can_rewrite():
        return LiveProgress(screen, stream, monotonic)
    return PlainProgress(screen, stream)


def _can_rewrite() -> bool:
    import os

    return os.environ.get("TERM", "dumb") != "dumb"


def usual(step: Step) -> str:
    """Return the usual time of a step in brackets; empty before its first run here, and where it takes no time."""
    return (
        f" (usual {duration(step.usual_seconds)})" if step.usual_seconds and step.usual_seconds >= 1 else ""
    )


def _tenth(waiting_for: str) -> tuple[str, int]:
    """Return what is waited for without its figures, and how many tenths of it are there: a log wants no line a percent."""
    figures = [int(one.replace(",", "")) for one in _FIGURE.findall(waiting_for)]
    if "%" in waiting_for and figures:
        return _FIGURE.sub("", waiting_for), figures[-1] // 10
    if " of " in waiting_for and len(figures) > 1 and figures[-1]:
        return _FIGURE.sub("", waiting_for), figures[-2] * 10 // figures[-1]
    return waiting_for, 0


class PlainProgress:
    """One line for each change of a step: its state, or what it waits for."""

    def __init__(self, screen: Screen, stream: TextIO) -> None:
        self._screen = screen
        self._stream = stream
        self._seen: dict[str, tuple[StepState, str, int]] = {}

    def show(self, event: JobEvent) -> None:
        """Write a line for each step that changed."""
        for step in event.job.steps:
            now = (step.state, *_tenth(step.waiting_for))
            before = self._seen.get(step.slug, (StepState.PENDING, "", 0))
            self._seen[step.slug] = now
            # A wait that is over says nothing by itself; the step's end or its next wait follows. Steps are pending again
            # when the agent came back and goes through the job anew.
            silent = step.state is StepState.PENDING or (
                now[0] is StepState.RUNNING is before[0] and not now[1]
            )
            if now != before and not silent:
                self._write(step)

    def _write(self, step: Step) -> None:
        if step.state is StepState.RUNNING:
            tail = f": waiting for {step.waiting_for}" if step.waiting_for else f" ...{usual(step)}"
        else:
            said = f"  {step.said}" if step.said else ""
            tail = f"  {duration(step.seconds)}{said}"
        print(
            f"{self._screen.mark(MARK_OF_STATE[step.state])} {step.title}{tail}",
            file=self._stream,
            flush=True,
        )

    def say(self, text: str) -> None:
        """Write a remark."""
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class LiveProgress:
    """Steps that are over as lines; the running one on a line of its own whose time passes."""

    def __init__(self, screen: Screen, stream: TextIO, monotonic: Callable[[], float]) -> None:
        self._screen = screen
        self._stream = stream
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._written: dict[str, StepState] = {}
        self._running: Step | None = None
        self._since = 0.0
        self._closed = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._ticker.start()

    def show(self, event: JobEvent) -> None:
        """Write what is over, and rewrite the line of what runs."""
        with self._lock:
            for step in event.job.steps:
                if step.state in OVER and self._written.get(step.slug) is not step.state:
                    self._written[step.slug] = step.state
                    self._stream.write(f"{CLEAR}{self._over(step)}\n")
            self._running = _running(event.job)
            self._since = self._monotonic()
            self._draw()

    def _tick(self) -> None:
        while not self._closed.wait(TICK_SECONDS):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        step = self._running
        text = ""
        if step is not None:
            passed = replace(step, seconds=step.seconds + self._monotonic() - self._since)
            text = self._fit(f"  {step.title}  {duration(passed.seconds)}{usual(step)}", _waiting(step))
            text = self._screen.mark(Mark.NOW) + text[1:]
        self._stream.write(CLEAR + text)
        self._stream.flush()

    def _over(self, step: Step) -> str:
        said = f"  {step.said}" if step.said else ""
        return (
            self._screen.mark(MARK_OF_STATE[step.state])
            + self._fit(f"  {step.title}  {duration(step.seconds)}", said)[1:]
        )

    @staticmethod
    def _fit(head: str, tail: str) -> str:
        """Return both, cut to the width of the terminal, so that the line can be rewritten."""
        width = max(20, shutil.get_terminal_size().columns - 1)
        whole = head + tail
        return whole if len(whole) <= width else whole[: width - 3] + "..."

    def say(self, text: str) -> None:
        """Write a remark above the running step."""
        with self._lock:
            self._stream.write(f"{CLEAR}{text}\n")
            self._draw()

    def close(self) -> None:
        """End the running line; nothing is written after."""
        self._closed.set()
        self._ticker.join()
        with self._lock:
            self._stream.write(CLEAR)
            self._stream.flush()


def _running(job: Job) -> Step | None:
    return next((step for step in job.steps if step.state is StepState.RUNNING), None)


def _waiting(step: Step) -> str:
    return f"  waiting for {step.waiting_for}" if step.waiting_for else ""
