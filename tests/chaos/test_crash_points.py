"""Power may go, or the agent be killed, at any instant of any job: the machine ends up as if nothing had happened.

The instants are those between any two effects: each write in its five parts, each commit, each command, each wait. What
was not fsynced is lost or torn. `ARCHIPEL_SEED` repeats a run of the random part.
"""

import os
import random
from collections.abc import Callable

import pytest

from archipel_contract.jobs import JobState
from tests.chaos.crashes import (
    CUT,
    KILLED,
    RESTART,
    UP,
    Story,
    Tally,
    check,
    crash,
    every_instant,
    expected,
    undisturbed,
)
from tests.chaos.node import Node
from tests.chaos.stories import STORIES, stopped
from tests.fakes.power import PowerCut

WANTED_INSTANTS = 5000
RANDOM_RUNS = 250
SECONDS = 300  # for one story on a slow machine; the longest takes about ten on a fast one
# Directories that a real system has from the start.
ON_EVERY_SYSTEM = {
    "/etc/sysctl.d",
    "/etc/systemd",
    "/etc/systemd/system",
    "/etc/systemd/system/multi-user.target.wants",
    "/usr/local",
    "/usr/local/bin",
}


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("kind", [CUT, KILLED])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_a_job_crashed_at_any_instant_ends_as_if_nothing_had_happened(
    story: Story, kind: str, record_property: Callable[[str, object], None]
) -> None:
    tally = every_instant(story, kind)
    record_property("crashes", tally.crashes)
    assert tally.crashes > 0
    assert tally.wrong == []


def test_the_stories_have_as_many_instants_as_promised() -> None:
    instants = {story.name: undisturbed(story).instants for story in STORIES}
    total = 2 * sum(instants.values())  # each is a power cut and a killed agent
    print(f"{total} crashes: {instants}")
    assert total >= WANTED_INSTANTS


def crash_at_random(runs: int) -> None:
    """So many stories, each with two to four crashes at random instants; the seed is printed and repeats it."""
    seed = int(os.environ.get("ARCHIPEL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"ARCHIPEL_SEED={seed}")
    chance = random.Random(seed)
    tally = Tally()
    ends = {story.name: expected(story) for story in STORIES}
    lengths = {story.name: undisturbed(story).instants for story in STORIES}
    for _ in range(runs):
        story = chance.choice(STORIES)
        instants = tuple(chance.randint(1, lengths[story.name]) for _ in range(chance.randint(2, 4)))
        kind, insists = chance.choice([CUT, KILLED]), chance.random() < 0.5
        check(story, kind, instants, ends[story.name], tally, insists)
    assert tally.wrong == [], f"ARCHIPEL_SEED={seed}"


@pytest.mark.timeout(SECONDS)
def test_jobs_crashed_again_while_they_recover_end_as_if_nothing_had_happened() -> None:
    crash_at_random(RANDOM_RUNS)


@pytest.mark.prove
def test_ten_thousand_jobs_crashed_again_while_they_recover_end_as_if_nothing_had_happened() -> None:
    crash_at_random(10_000)


@pytest.mark.parametrize(
    "step", ["get-k3s", "kernel", "service", "start", "wait-api", "wait-pods", "identity"]
)
def test_a_stopped_first_up_leaves_the_machine_as_it_was(step: str) -> None:
    before = Node().picture()
    after = undisturbed(stopped(step))
    assert after.state is JobState.CANCELLED
    left = {name for name in after.picture if after.picture[name] != before.get(name)}
    assert left <= ON_EVERY_SYSTEM | {"/var/lib/archipel/kube"}


def starts(node: Node) -> int:
    """How often k3s was started on a machine since it was set up; a process of the rehearsal has the next number."""
    run = node.world.life.run
    assert run is not None
    return run.pid


def test_a_restart_cut_off_at_any_instant_ends_with_a_k3s_that_was_started_once() -> None:
    story = Story(name="restart", request=RESTART, before=(UP,))
    undisturbed_node = story.begin()
    before = starts(undisturbed_node)
    undisturbed_node.power.crash_at(None)
    undisturbed_node.do(story.request)
    once = starts(undisturbed_node)
    assert once > before
    for instant in range(1, undisturbed(story).instants + 1):
        job, node, where = crash(story, KILLED, (instant,), insists=True)
        assert (job.state, starts(node)) == (JobState.SUCCEEDED, once), where


def test_a_crash_is_seen_by_the_fakes_at_all() -> None:
    node = STORIES[0].begin()
    node.power.crash_at(40)
    with pytest.raises(PowerCut, match="at instant 40"):
        node.do(STORIES[0].request)
    node.come_back()
    unfinished = node.store.unfinished()
    assert unfinished is not None
    assert unfinished.state is JobState.RUNNING
