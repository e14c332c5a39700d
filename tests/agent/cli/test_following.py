"""A job is followed across a lost agent, its progress drawn for terminals and for files, and an agent started first."""

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.cli import ensure, follow, output
from archipel_agent.cli.command import Session, Stop, session_of
from archipel_agent.cli.output import Screen, duration, size
from archipel_agent.cli.progress import LiveProgress, PlainProgress, progress
from archipel_agent.cli.up import parser
from archipel_contract.client import AgentAway, AgentClient
from archipel_contract.exits import Exit
from archipel_contract.jobs import Job, JobEvent, JobRequest, JobState, Step, StepState, Verb
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import JOB_ID, STEPS, ScriptedService
from tests.fakes.serving import serving


class Terminal(io.StringIO):
    """A terminal that keeps everything written to it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def screen(out: io.StringIO, *, color: bool = False, as_json: bool = False) -> Screen:
    return Screen(out, out, color=color, language="en", as_json=as_json)


class SteppingClock:
    """A clock whose waiting takes no time; `each` is called in every wait."""

    def __init__(self, each: Callable[[], None] = lambda: None) -> None:
        self.time = 0.0
        self.each = each

    def now(self) -> object:
        """Not asked for here."""
        raise NotImplementedError

    def monotonic(self) -> float:
        """Return the seconds waited so far."""
        return self.time

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        self.each()


def session(archipel: Archipel, clock: SteppingClock) -> Session:
    """A session of `archipel up` with this clock."""
    made = session_of(parser().parse_args([]))
    return replace(made, given_clock=clock, client=AgentClient(archipel.paths.socket, 2))  # type: ignore[arg-type]  # now() unused


def job(*steps: Step, state: JobState = JobState.RUNNING) -> Job:
    return Job(id=JOB_ID, verb=Verb.UP, state=state, steps=steps)


# --- a lost agent ---


def test_a_job_is_followed_across_an_agent_that_went_away_and_came_back(
    archipel: Archipel, service: ScriptedService, capsys: pytest.CaptureFixture[str]
) -> None:
    serve = serving(service, archipel.paths.socket)
    serve.__enter__()
    again: list[object] = []

    def restart() -> None:
        if not again:
            service.defect = None
            service.run_to(JobState.SUCCEEDED, sentence="Done after all.")
            later = serving(service, archipel.paths.socket)
            later.__enter__()
            again.append(later)

    made = session(archipel, SteppingClock(restart))
    started = follow.start(made, JobRequest(verb=Verb.UP))
    gone = threading.Timer(0.2, lambda: serve.__exit__(None, None, None))
    gone.start()
    code = follow.watch(made, started)
    gone.join()
    again[0].__exit__(None, None, None)  # type: ignore[attr-defined]  # the context manager entered above
    said = capsys.readouterr().out
    assert code == Exit.OK
    assert "The agent does not answer" in said
    assert "The agent is back." in said
    assert said.count("+ Check this machine") == 1  # nothing is told twice
    assert said.endswith("+ Done after all.\n")


def test_an_agent_that_stays_away_is_given_up_after_a_minute(archipel: Archipel) -> None:
    clock = SteppingClock()
    with pytest.raises(AgentAway):
        follow.watch(session(archipel, clock), job())
    assert 60 < clock.time < 62


def test_a_start_that_was_cut_off_is_repeated_with_the_same_key(
    archipel: Archipel, service: ScriptedService
) -> None:
    serve = serving(service, archipel.paths.socket)

    def come_back() -> None:
        if clock.time == 0.5:
            serve.__enter__()

    clock = SteppingClock(come_back)
    request = JobRequest(verb=Verb.UP, key="k")
    try:
        assert follow.start(session(archipel, clock), request).id == JOB_ID
    finally:
        serve.__exit__(None, None, None)
    assert [one.key for one, _ in service.requests] == ["k"]


# --- an agent is started first ---


def test_no_agent_is_started_where_one_answers(archipel: Archipel, service: ScriptedService) -> None:
    def never(session: Session) -> None:
        raise AssertionError("started a second agent")

    with serving(service, archipel.paths.socket):
        ensure.ensure_agent(session(archipel, SteppingClock()), "up", never)


def test_an_agent_is_started_and_waited_for(archipel: Archipel, service: ScriptedService) -> None:
    serve = serving(service, archipel.paths.socket)
    waits: list[float] = []

    def each() -> None:
        waits.append(0)
        if len(waits) == 3:
            serve.__enter__()

    try:
        ensure.ensure_agent(session(archipel, SteppingClock(each)), "up", lambda session: None)
    finally:
        serve.__exit__(None, None, None)
    assert len(waits) == 3


def test_an_agent_that_does_not_come_up_is_told_with_its_last_words(archipel: Archipel) -> None:
    def dies(session: Session) -> None:
        log = ensure.log_path(session)
        log.parent.mkdir(parents=True)
        log.write_text("first\nERROR the disk is full\n")

    with pytest.raises(Stop, match="the disk is full") as stop:
        ensure.ensure_agent(session(archipel, SteppingClock()), "up", dies)
    assert stop.value.code is Exit.AGENT_AWAY


def test_a_user_who_is_not_root_is_told_to_use_sudo(
    archipel: Archipel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    made = session(archipel, SteppingClock())
    real = replace(made, paths=type(made.paths)(Path("/")))
    with pytest.raises(Stop) as stop:
        ensure.ensure_agent(real, "up", lambda session: None)
    assert stop.value.code is Exit.NOT_PERMITTED
    assert "sudo archipel up" in capsys.readouterr().err


def test_systemd_is_never_asked_for_a_root_that_is_not_the_machines(tmp_path: Path) -> None:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system" / ensure.UNIT).write_text("")
    assert not ensure.runs_under_systemd(tmp_path)


# --- progress ---


def events() -> list[JobEvent]:
    """A job of two steps as the agent shows it."""
    first, second = STEPS
    done = replace(first, state=StepState.DONE, seconds=2.0, said="fine")
    waiting = replace(second, state=StepState.RUNNING, seconds=7.0, waiting_for="the API")
    states = [
        job(replace(first, state=StepState.RUNNING), second),
        job(done, replace(second, state=StepState.RUNNING)),
        job(done, waiting),
        job(done, replace(waiting, seconds=8.0)),
        job(done, replace(waiting, waiting_for="the node")),
        job(
            done, replace(second, state=StepState.FAILED, seconds=9.0, said="it broke"), state=JobState.FAILED
        ),
    ]
    return [JobEvent(sequence=number, job=one) for number, one in enumerate(states, 1)]


def test_progress_in_a_file_is_one_line_a_change() -> None:
    out = io.StringIO()
    shown = progress(screen(out), lambda: 0.0)
    assert isinstance(shown, PlainProgress)
    for event in events():
        shown.show(event)
    shown.close()
    assert out.getvalue().splitlines() == [
        "> Check this machine ...",
        "+ Check this machine  0:02  fine",
        "> Start k3s ... (usual 1:00)",
        "> Start k3s: waiting for the API",
        "> Start k3s: waiting for the node",
        "x Start k3s  0:09  it broke",
    ]


def test_progress_on_a_terminal_keeps_one_line_for_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    shown = progress(screen(out), lambda: 0.0)
    assert isinstance(shown, LiveProgress)
    for event in events():
        shown.show(event)
    shown.say("a remark")
    shown.close()
    pictures = out.getvalue().split("\r\033[K")
    assert "+ Check this machine  0:02  fine\n" in pictures
    assert "> Start k3s  0:07 (usual 1:00)  waiting for the API" in pictures
    assert "x Start k3s  0:09  it broke\n" in pictures
    assert "a remark\n" in pictures
    assert out.getvalue().count("\n") == 3
    assert max(map(len, pictures)) < 60


def test_the_time_of_a_running_step_passes_between_events(monkeypatch: pytest.MonkeyPatch) -> None:
    from archipel_agent.cli import progress as module

    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    times = iter(range(1000))
    out = Terminal()
    shown = LiveProgress(screen(out), out, lambda: float(next(times)))
    shown.show(events()[2])
    for _ in range(500):
        if "0:12" in out.getvalue():
            break
        threading.Event().wait(0.01)
    shown.close()
    assert "0:12" in out.getvalue()


def test_a_long_line_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    shown = progress(screen(out, color=True), lambda: 0.0)
    step = replace(STEPS[1], state=StepState.RUNNING, waiting_for="x" * 200)
    shown.show(JobEvent(sequence=1, job=job(step)))
    shown.close()
    line = out.getvalue().split("\r\033[K")[1]
    assert line.endswith("...")
    assert len(line.replace("\033[36m", "").replace("\033[0m", "")) == 39


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress(screen(Terminal()), lambda: 0.0), PlainProgress)


def test_steps_that_begin_anew_after_the_agent_came_back_are_not_listed_as_pending() -> None:
    out = io.StringIO()
    shown = PlainProgress(screen(out), out)
    first, second = STEPS
    shown.show(JobEvent(sequence=1, job=job(replace(first, state=StepState.DONE), second)))
    shown.show(JobEvent(sequence=2, job=job(first, second)))
    shown.show(JobEvent(sequence=3, job=job(replace(first, state=StepState.ALREADY, said="is done"), second)))
    assert out.getvalue() == "+ Check this machine  0:00\n+ Check this machine  0:00  is done\n"


# --- output ---


def test_marks_are_readable_without_colour() -> None:
    plain, coloured = screen(io.StringIO()), screen(io.StringIO(), color=True)
    assert [plain.mark(mark) for mark in output.Mark] == ["+", "!", "x", "?", ">", " "]
    assert coloured.mark(output.Mark.BAD) == "\033[31mx\033[0m"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1 h 0 min"), (90_061, "1 d 1 h")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "?"),
        (0, "0 B"),
        (1536, "2 KiB"),
        (4 << 30, "4.0 GiB"),
        (5 << 40, "5.0 TiB"),
        (5 << 60, "5242880.0 TiB"),
    ],
)
def test_sizes_read_well(count: int | None, text: str) -> None:
    assert size(count) == text
