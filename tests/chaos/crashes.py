"""Crash a job at every instant, let it go on, and compare what became of the machine with a run nobody disturbed."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

from archipel_agent.jobs.clock import JobClock
from archipel_contract.jobs import Job, JobRequest, JobState, Verb
from tests.chaos.node import STICK, Image, Node, Watch
from tests.fakes.power import PowerCut

CUT, KILLED = "power cut", "agent killed"
Picture = dict[str, object]


def request(verb: Verb, key: str = "the-job", **options: str | bool | int | list[str]) -> JobRequest:
    """A job asked for with a key, as every client does."""
    return JobRequest(verb=verb, options=options, key=key)


UP = request(Verb.UP, "first-up", k3s=str(STICK))
DOWN = request(Verb.DOWN, "first-down")
RESTART = request(Verb.RESTART, "first-restart")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A job to crash, on a machine on which other jobs ran before; with `stop_at` it is asked to stop at that step."""

    name: str
    request: JobRequest
    before: tuple[JobRequest, ...] = ()
    stop_at: str = ""
    trouble: str = ""  # a fault of the rehearsal that is there when the job starts

    def begin(self) -> Node:
        """A machine on which the job is about to start."""
        node = Node(prepared(self.before))
        if self.trouble:
            node.world.inject(self.trouble)
            node.world.faults.clear()  # it happened once, and is not what the machine boots into
        return node

    def watch(self) -> Watch:
        """Asks the job to stop when its step begins."""
        return functools.partial(_stop, self.stop_at)


def _stop(step: str, job: Job, clock: JobClock) -> None:
    if step and any(one.slug == step and one.state == "running" for one in job.steps):
        clock.cancel()


_IMAGES: dict[str, Image] = {}


def prepared(before: tuple[JobRequest, ...]) -> Image:
    """The disk of a machine on which these jobs have succeeded, made once."""
    name = repr(before)
    if name not in _IMAGES:
        node = Node()
        for one in before:
            done = node.do(one)
            assert done.state is JobState.SUCCEEDED, done
        _IMAGES[name] = node.image()
    return _IMAGES[name]


@dataclass(slots=True)
class Outcome:
    """What an undisturbed run comes to: the job's last state and the machine, and how many instants it had."""

    state: JobState
    picture: Picture
    instants: int


@dataclass(slots=True)
class Tally:
    """How often what happened, and every end that was not one of those expected."""

    crashes: int = 0
    wrong: list[str] = field(default_factory=list)


def undisturbed(story: Story, stopped: bool = True) -> Outcome:
    """Run the story without a crash; with `stopped` False also without being asked to stop."""
    node = story.begin()
    node.power.crash_at(None)
    job = node.do(story.request, story.watch() if stopped else functools.partial(_stop, ""))
    instants = node.power.count
    return Outcome(job.state, node.picture(), instants)


def expected(story: Story) -> dict[JobState, Picture]:
    """The ends a crashed run may come to: a stop that was only asked for may be forgotten by the crash, nothing else."""
    ends = [undisturbed(story, stopped=False)]
    if story.stop_at:
        ends.append(undisturbed(story))
    return {end.state: end.picture for end in ends}


def crash(story: Story, kind: str, instants: tuple[int, ...], insists: bool) -> tuple[Job, Node, list[str]]:
    """Crash the job at the first instant, what goes on at the second, and so on; then let it come to its end.

    Whoever asked the job to stop asks again after the crash if they insist.
    """
    node = story.begin()
    node.power.remembers = True
    where = []
    watch = story.watch()
    for instant in instants:
        node.power.crash_at(instant)
        try:
            node.do(story.request, watch)
        except PowerCut as cut:
            where.append(str(cut))
            _come_back(node, kind)
        if not insists:
            watch = functools.partial(_stop, "")
    node.power.crash_at(None)
    return node.do(story.request, watch), node, where


def _come_back(node: Node, kind: str) -> None:
    if kind == CUT:
        node.come_back()
    else:
        node.agent_comes_back()


def every_instant(story: Story, kind: str, step: int = 1) -> Tally:
    """Crash at each instant of the story once (or at each `step`-th)."""
    ends = expected(story)
    tally = Tally()
    for instant in range(1, undisturbed(story).instants + 1, step):
        check(story, kind, (instant,), ends, tally)
    return tally


def check(
    story: Story,
    kind: str,
    instants: tuple[int, ...],
    ends: dict[JobState, Picture],
    tally: Tally,
    insists: bool = True,
) -> None:
    """Crash there and note an end that was not expected."""
    job, node, where = crash(story, kind, instants, insists)
    tally.crashes += 1
    if job.state not in ends:
        tally.wrong.append(f"{story.name}, {kind} {where}: {job.state}, {job.sentence}")
        return
    differences = list(differing(ends[job.state], node.picture()))
    if differences:
        tally.wrong.append(f"{story.name}, {kind} {where}: {job.state}, but {'; '.join(differences[:6])}")


def differing(wanted: Picture, got: Picture) -> Iterator[str]:
    """What differs between two machines."""
    for name in sorted({*wanted, *got}):
        if wanted.get(name) != got.get(name):
            yield f"{name}: {str(wanted.get(name))[:300]} became {str(got.get(name))[:300]}"
