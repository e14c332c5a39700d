"""Whatever a machine has been through, what it is now depends on the last job alone.

Hypothesis invents histories of jobs, crashes, reboots and stops; after each the machine must look like one that came to
the same point by the shortest way.
"""

import functools

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from archipel_agent.jobs.clock import JobClock
from archipel_contract.jobs import Job, JobState, Verb
from tests.chaos.crashes import DOWN, UP, Picture, differing, prepared, request
from tests.chaos.node import Node
from tests.fakes.power import PowerCut

BARE, RUNNING, STOPPED, DATA = "bare", "running", "stopped", "data kept"
KEEP_DATA = request(Verb.REMOVE, "removal", what="keep-data")
SHORTEST = {BARE: (), RUNNING: (UP,), STOPPED: (UP, DOWN), DATA: (UP, KEEP_DATA)}

# What a history may leave: the agent's own memory of it, and directories that are there on any system.
HISTORY = ("/var/lib/archipel", "/usr/local", "/etc/sysctl.d", "/etc/systemd", "kept", "site")


@functools.cache
def shortest(state: str) -> Node:
    """A machine that came to `state` by the shortest way."""
    node = Node(prepared(SHORTEST[state]))
    node.agent_goes()
    return node


def visible(picture: Picture) -> Picture:
    """What of a machine does not depend on its history."""
    own = (".service", ".conf", "/usr/local/bin/k3s")
    return {
        name: seen for name, seen in picture.items() if not name.startswith(HISTORY) or name.endswith(own)
    }


class Histories(RuleBasedStateMachine):
    """One machine and what it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.node = Node()
        self.state = BARE
        self.number = 0

    def run(self, verb: Verb, crashes: list[int], powerful: bool, stop: str, **options: str) -> Job:
        """Run a job with crashes at these instants, resuming each time."""
        self.number += 1
        asked = request(verb, f"job-{self.number}", **options)

        def watch(job: Job, clock: JobClock) -> None:
            if stop and any(one.slug == stop and one.state == "running" for one in job.steps):
                clock.cancel()

        for instant in crashes:
            self.node.power.crash_at(instant)
            try:
                self.node.do(asked, watch)
            except PowerCut:
                self.node.come_back() if powerful else self.node.agent_comes_back()
        self.node.power.crash_at(None)
        return self.node.do(asked, watch)

    def compare(self) -> None:
        """The machine looks like one that came here by the shortest way."""
        wanted, got = visible(shortest(self.state).picture()), visible(self.node.picture())
        if self.state == DATA:  # a cluster that was stopped already cannot forget the agent's account
            wanted, got = ({**seen, "world": None} for seen in (wanted, got))
        assert list(differing(wanted, got)) == []

    crashes = st.lists(st.integers(1, 260), max_size=3)

    @rule(crashes=crashes, powerful=st.booleans())
    def up(self, crashes: list[int], powerful: bool) -> None:
        """`up` always leads to a running site."""
        job = self.run(Verb.UP, crashes, powerful, "", k3s=str(UP.options["k3s"]))
        assert job.state is JobState.SUCCEEDED, (job.sentence, job.finding)
        self.state = RUNNING
        self.compare()

    @precondition(lambda self: self.state == BARE)
    @rule(
        crashes=crashes,
        powerful=st.booleans(),
        step=st.sampled_from(["kernel", "start", "wait-api", "identity"]),
    )
    def up_stopped(self, crashes: list[int], powerful: bool, step: str) -> None:
        """A first `up` that is stopped leaves nothing."""
        job = self.run(Verb.UP, crashes, powerful, step, k3s=str(UP.options["k3s"]))
        assert job.state in (JobState.CANCELLED, JobState.SUCCEEDED)
        self.state = BARE if job.state is JobState.CANCELLED else RUNNING
        self.compare()

    @precondition(lambda self: self.state in (RUNNING, STOPPED))
    @rule(crashes=crashes, powerful=st.booleans())
    def down(self, crashes: list[int], powerful: bool) -> None:
        """`down` stops the site for good."""
        job = self.run(Verb.DOWN, crashes, powerful, "")
        assert job.state is JobState.SUCCEEDED, job.sentence
        self.state = STOPPED
        self.compare()

    @precondition(lambda self: self.state in (RUNNING, STOPPED))
    @rule(crashes=crashes, powerful=st.booleans(), what=st.sampled_from(["keep-data", "everything"]))
    def remove(self, crashes: list[int], powerful: bool, what: str) -> None:
        """`remove` takes what it says."""
        job = self.run(Verb.REMOVE, crashes, powerful, "", what=what)
        assert job.state is JobState.SUCCEEDED, job.sentence
        self.node.agent_goes()
        self.state = BARE if what == "everything" else DATA
        self.compare()

    @rule()
    def reboot(self) -> None:
        """A reboot changes nothing."""
        self.node.come_back()
        self.compare()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
