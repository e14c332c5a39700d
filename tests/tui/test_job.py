"""Setting up as a guided action: choice, plan, live progress, and its end; stopping and the support bundle."""

from dataclasses import replace

from archipel_contract.api import AccessRole
from archipel_contract.jobs import Job, JobState, StepState, Verb
from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.conftest import ManualClock, Opened, Session

ID = "j-0000000000000001"


def at(done: int, waiting: str = "", state: JobState = JobState.RUNNING) -> Job:
    """The scripted job so far."""
    return replace(scenes.job(done, state, waiting), id=ID)


async def started(session: Session, agent: FakeAgent) -> None:
    """Start the set-up of a bare box with one network."""
    await session.press("u")
    await session.until("Enter starts it.")
    await session.press("enter")
    await session.until("Step 1 of 8")


async def test_a_box_with_several_networks_asks_which_one_and_sends_the_choice(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.script.facts = scenes.TWO_NETWORKS
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await session.press("u")
        text = await session.until("Which network should this box use?")
        assert "> eth0" in text and "enp3s0" in text and "cni0" not in text and "127.0.0.1" not in text
        await session.press("down", "enter")
        await session.until("Enter starts it.")
        (planned,) = agent.requests("plan")
        assert planned.options == {"interface": "enp3s0", "node_ip": "10.20.30.40"}
        await session.press("enter")
        await session.until("Step 1 of 8")
        assert agent.requests("start_job")[0].options == planned.options


async def test_a_box_with_one_network_shows_the_plan_and_starts_only_on_enter(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await session.press("u")
        text = await session.until("Enter starts it.")
        assert "[    ] Check this machine" in text and "to do" in text
        assert "[ OK ] Install k3s" in text and "v1.34.2+k3s1 is there" in text
        assert agent.requests("start_job") == []
        await session.press("escape")
        await session.until("Not set up yet")
        assert agent.requests("start_job") == []


async def test_progress_names_the_step_its_time_the_usual_time_and_what_it_waits_for(
    opened: Opened, agent: FakeAgent, manual: ManualClock
) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await started(session, agent)
        agent.go_on(at(4, "the API, which answers 503"), "k3s: starting, the datastore is SQLite")
        text = await session.until("Step 5 of 8")
        assert "[ >> ] Start k3s" in text and "0:41" in text
        assert "waiting for: the API, which answers 503" in text
        assert "usual 1 min 15 s" in text
        assert "k3s: starting, the datastore is SQLite" in text
        assert "it goes on by itself" in text
        manual.seconds += 7
        await session.until("0:48")


async def test_a_job_can_be_left_and_found_again_and_goes_on_meanwhile(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await started(session, agent)
        await session.press("escape")
        text = await session.until("J Progress")
        assert "Step 1 of 8" not in text
        agent.go_on(at(5), "meanwhile")
        await session.press("j")
        await session.until("Step 6 of 8")
        await session.until("meanwhile")
        assert len(agent.requests("start_job")) == 1


async def test_a_job_that_runs_already_is_shown_by_a_screen_that_starts_later(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.script.job = at(0)
    agent.go_on(at(3), "from before")
    agent.push(replace(scenes.bare(), job=ID))
    async with opened() as session:
        await session.until("J Progress")
        await session.press("u")
        await session.until("Step 4 of 8")
        await session.until("from before")
        assert agent.requests("start_job") == agent.requests("plan") == []


async def test_a_job_that_succeeds_says_done_and_enter_goes_home(opened: Opened, agent: FakeAgent) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await started(session, agent)
        agent.go_on(replace(at(8, state=JobState.SUCCEEDED), sentence="The node is Ready."))
        await session.until("+ Done. The node is Ready.")
        agent.push(scenes.healthy())
        await session.press("enter")
        await session.until("+ Healthy")


async def test_a_job_that_fails_says_why_and_what_to_do_and_can_go_on(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await started(session, agent)
        failed = at(2, state=JobState.FAILED)
        steps = (*failed.steps[:2], replace(failed.steps[2], state=StepState.FAILED), *failed.steps[3:])
        agent.go_on(replace(failed, steps=steps, finding=scenes.NOT_ROOT))
        text = await session.until("x It did not work.")
        assert "[FAIL] Write the configuration of k3s" in text
        assert "This needs administrator rights" in text and "sudo archipel up" in text
        assert "R Again" in text and "W Why" in text
        await session.press("w")
        await session.until("archipel why not-root")
        await session.press("escape", "r")
        await session.until("Step 1 of 8")
        first, second = agent.requests("start_job")
        assert first.key != second.key


async def test_pressing_enter_twice_starts_one_job(opened: Opened, agent: FakeAgent) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await session.press("u")
        await session.until("Enter starts it.")
        await session.press("enter", "enter")
        await session.until("Step 1 of 8")
        assert len({request.key for request in agent.requests("start_job")}) == 1


async def test_a_running_job_is_stopped_only_after_a_question(opened: Opened, agent: FakeAgent) -> None:
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await started(session, agent)
        agent.go_on(at(3))
        await session.until("Step 4 of 8")
        await session.press("c")
        await session.until("Stop this job and undo what it did?")
        await session.press("enter")
        await session.until("! Stopped and undone.")
        assert agent.requests("cancel_job") == [{"job_id": ID}]


async def test_a_plan_with_a_problem_cannot_be_started(opened: Opened, agent: FakeAgent) -> None:
    agent.script.plan = replace(scenes.PLAN, findings=(scenes.NOT_ROOT,))
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await session.press("u")
        text = await session.until("It cannot start like this.")
        assert "x This needs administrator rights" in text
        await session.press("enter")
        assert agent.requests("start_job") == []
        agent.script.plan = scenes.PLAN
        await session.press("a")
        await session.until("Enter starts it.")


async def test_someone_who_may_only_look_is_told_so(opened: Opened, agent: FakeAgent) -> None:
    agent.script.role = AccessRole.VIEW
    agent.push(scenes.bare())
    async with opened() as session:
        await session.until("Not set up yet")
        await session.press("u")
        await session.until("Enter starts it.")
        await session.press("enter")
        await session.until("The agent refused: not yours ask the owner")


async def test_stopping_is_asked_about_and_escape_means_no(opened: Opened, agent: FakeAgent) -> None:
    async with opened() as session:
        await session.press("s")
        await session.until("Stop k3s and all pods on this box?")
        await session.press("escape")
        await session.until("+ Healthy")
        assert agent.requests("start_job") == []
        await session.press("s", "enter")
        await session.until("Step 1 of 8")
        assert agent.requests("start_job")[0].verb is Verb.DOWN


async def test_the_support_bundle_ends_with_its_place(opened: Opened, agent: FakeAgent) -> None:
    async with opened() as session:
        await session.press("8", "enter")
        await session.until("Step 1 of 8")
        done = Job(
            id=ID,
            verb=Verb.SUPPORT,
            state=JobState.SUCCEEDED,
            result={"path": "/var/lib/archipel/support/a.zip"},
        )
        agent.go_on(done)
        await session.until("path: /var/lib/archipel/support/a.zip")
