"""The doctor, the explanation of a finding, and repairs."""

from dataclasses import replace

from archipel_contract.api import Checks, Problem
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Fix, Verdict
from archipel_contract.jobs import JobState, Verb
from archipel_tui.store import Picture, all_findings
from tests.fakes.agent_server import FakeAgent, Refusal
from tests.tui import scenes
from tests.tui.conftest import Opened


async def test_the_doctor_runs_every_check_and_lists_what_was_found_first(
    opened: Opened, agent: FakeAgent
) -> None:
    async with opened() as session:
        await session.press("2")
        text = await session.until("21 checks: 18 OK, 2 found, 1 not decided")
        rows = [row for row in text.splitlines() if "Administrator rights" in row or "Clock" in row]
        assert ">x Administrator rights" in rows[0] and "+ Clock" in rows[1]
        assert "? disk speed" in text
        assert "This needs administrator rights" in text
        assert len(agent.requests("checks")) == 1


async def test_arrows_choose_a_check_and_its_explanation_follows(opened: Opened) -> None:
    async with opened() as session:
        await session.press("2")
        await session.until("21 checks")
        await session.press("down")
        text = await session.until("The power supply is too weak")
        assert ">x Power supply" in text
        assert "F repairs this and restarts k3s" in text and "1 min 35 s" in text
        assert "F Fix" in text
        await session.press("down")
        await session.until("? Not decided: there is no evidence")
        for _ in range(30):
            await session.press("down")
        assert ">+ check 15" in session.text()


async def test_checks_can_be_run_again(opened: Opened, agent: FakeAgent) -> None:
    async with opened() as session:
        await session.press("2")
        await session.until("21 checks")
        agent.script.checks = type(scenes.CHECKS)(phase="runtime", results=scenes.CHECKS.results[:2])
        await session.press("a")
        await session.until("2 checks: 2 OK, 0 found, 0 not decided")


async def test_enter_explains_a_finding_with_evidence_cause_remedy_and_code(opened: Opened) -> None:
    async with opened() as session:
        await session.press("2")
        await session.until("21 checks")
        await session.press("down", "enter")
        text = await session.until("Evidence")
        assert "vcgencmd get_throttled: 0x50005" in text
        assert "Use the supply made for this board, with a short cable." in text
        assert "archipel why test-low-power" in text
        assert "Finding 2 of 2" in text
        await session.press("n")
        await session.until("Finding 1 of 2")
        await session.press("escape")
        await session.until("21 checks")


async def test_a_repair_is_asked_about_and_then_watched(opened: Opened, agent: FakeAgent) -> None:
    agent.push(scenes.sick())
    async with opened() as session:
        await session.until("x 2 problems")
        await session.press("f")
        text = await session.until("Repair this now: The power supply is too weak")
        assert "pods pause for about 1 min 35 s" in text
        await session.press("escape")
        assert agent.requests("start_job") == []
        await session.press("f", "enter")
        await session.until("Step 1 of 8")
        (request,) = agent.requests("start_job")
        assert request.verb is Verb.FIX and request.options == {"code": "test-low-power"} and request.key
        assert agent.script.job is not None
        agent.go_on(type(agent.script.job)(id=agent.script.job.id, verb=Verb.FIX, state=JobState.SUCCEEDED))
        await session.until("+ Done.")


async def test_a_repair_says_what_it_will_do_and_how_it_is_taken_back(
    opened: Opened, agent: FakeAgent
) -> None:
    fix = Fix(code="memory-cgroup-off-pi", usual_seconds=1, reboots=True, undo=True)
    line_asks = replace(finding("memory-cgroup-off-pi", (), None, controllers="memory"), fix=fix)
    agent.push(replace(scenes.sick(), findings=(line_asks,)))
    async with opened() as session:
        await session.until("1 problem")
        await session.press("f")
        text = " ".join((await session.until("Taking it back:")).split())
        assert "1. Keep cmdline.txt as it is beside it" in text
        assert "3. Restart nothing" in text
        assert "takes effect once this machine is restarted" in text
        assert agent.requests("start_job") == []


async def test_checks_that_cannot_be_run_say_why(opened: Opened, agent: FakeAgent) -> None:
    problem = Problem(error="busy", message="the checks are being run", remedy="wait a moment")
    agent.script.refusals["checks"] = Refusal(409, problem)
    async with opened() as session:
        await session.press("2")
        await session.until("The agent refused: the checks are being run")
        assert "wait a moment" in session.text()
        agent.script.refusals.clear()
        await session.press("a")
        await session.until("21 checks")


def test_a_finding_that_names_the_time_is_told_once_though_report_and_checks_saw_it_at_two_times() -> None:
    earlier, later = (
        finding("clock-no-rtc", (), None, now=now, floor="2026-01-01") for now in ("03:04", "03:05")
    )
    report = replace(scenes.healthy(), findings=(earlier,))
    result = CheckResult(slug="clock", verdict=Verdict.FOUND, said="", findings=(later,))
    picture = Picture(report=report, checks=Checks(phase="runtime", results=(result,)))
    assert all_findings(picture) == (earlier,)


def test_of_several_findings_with_one_code_those_that_only_the_checks_saw_are_told_too() -> None:
    one, other = (
        finding("node-not-ready", (), None, name=name, reason="-", message="-") for name in ("a", "b")
    )
    report = replace(scenes.healthy(), findings=(one,))
    result = CheckResult(slug="node", verdict=Verdict.FOUND, said="", findings=(one, other))
    picture = Picture(report=report, checks=Checks(phase="runtime", results=(result,)))
    assert all_findings(picture) == (one, other)
