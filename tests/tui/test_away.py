"""The agent goes away, refuses, and comes back."""

from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from archipel_contract.api import Problem
from archipel_contract.catalogue.ui import Words
from archipel_contract.client import AgentAway, AgentClient
from archipel_tui.clock import Clock
from archipel_tui.feed import follow_reports
from archipel_tui.store import Change, Picture, Scene
from archipel_tui.views import frame
from tests.fakes.agent_server import FakeAgent, Refusal
from tests.tui import scenes
from tests.tui.conftest import ManualClock, Opened


async def test_an_agent_that_goes_away_is_named_with_the_way_to_restart_it_and_what_is_known_stays(
    opened: Opened, agent: FakeAgent, manual: ManualClock
) -> None:
    async with opened() as session:
        await session.until("+ Healthy")
        agent.leave()
        text = await session.until("The agent does not answer since 03:04:30.")
        assert "systemctl restart archipel-agent" in text
        assert "+ 3 of 3 ready" in text
        manual.seconds += 130
        await session.until("Shown is what it said 2 min 10 s ago.")


async def test_an_agent_that_comes_back_is_noticed_without_a_key(opened: Opened, agent: FakeAgent) -> None:
    async with opened() as session:
        await session.until("+ Healthy")
        agent.leave()
        await session.until("The agent does not answer")
        agent.script.report = scenes.sick()
        agent.come_back()
        await session.until("x 2 problems")
        await session.until("does not answer", absent=True)


async def test_an_agent_that_never_answered_is_explained(opened: Opened, agent: FakeAgent) -> None:
    agent.leave()
    async with opened(wait=None) as session:
        text = await session.until("The agent of this box does not answer.")
        assert "no agent on" in text
        assert "systemctl restart archipel-agent" in text
        assert "Kubernetes and its pods run on without the agent." in text
        agent.come_back()
        await session.until("+ Healthy")


async def test_a_job_is_watched_on_after_the_agent_was_away(opened: Opened, agent: FakeAgent) -> None:
    job = scenes.job(2)
    agent.script.job = job
    agent.go_on(job, "before")
    agent.script.report = replace(scenes.bare(), job=job.id)
    async with opened() as session:
        await session.press("j")
        await session.until("Step 3 of 8")
        await session.until("before")
        agent.leave()
        await session.until("the job is watched again as soon as it does")
        agent.come_back()
        agent.go_on(scenes.job(6), "after")
        text = await session.until("Step 7 of 8")
        text = await session.until("after")
        assert text.count("before") == 1


async def test_a_user_who_may_not_even_look_sees_what_the_agent_says(
    opened: Opened, agent: FakeAgent
) -> None:
    problem = Problem(
        error="not-permitted",
        message="You are not in the group archipel.",
        remedy="usermod -aG archipel anna",
    )
    agent.script.refusals["alive"] = Refusal(403, problem)
    async with opened(wait=None) as session:
        await session.until("The agent refused: You are not in the group archipel. usermod -aG archipel anna")


async def test_leaving_while_the_agent_is_away_does_not_hang(opened: Opened, agent: FakeAgent) -> None:
    agent.leave()
    async with opened(wait=None) as session:
        await session.until("does not answer")
        await session.press("q")
    assert session.app.return_code == 0


def test_a_user_whom_the_socket_does_not_admit_is_told_how_to_get_in(
    tmp_path: Path, manual: ManualClock
) -> None:
    """Needs no second user: the error of the kernel is what tells the two cases apart."""
    changes: list[Change] = []
    stop = Event()

    class Shut(AgentClient):
        def call(self, name: str, body: Any = None, timeout: float | None = None, **words: str) -> Any:
            error = AgentAway("no agent on /run/archipel/agent.sock: Permission denied")
            raise error from PermissionError(13, "Permission denied")

    def tell(change: Change) -> None:
        changes.append(change)
        stop.set()

    clock = Clock(now=manual.clock().now, monotonic=manual.clock().monotonic)
    follow_reports(Shut(tmp_path / "agent.sock"), tell, clock, stop)
    picture = changes[0](Picture())
    scene = Scene(picture, Words("en"), clock.now(), clock.monotonic())
    text = " ".join(part for row in frame.away(scene, 78) for part, _ in row)
    assert "Join the group and log in again" in text and "usermod -aG archipel" in text
    assert "systemctl restart" not in text
