"""The screen against the real API server, so that the scripted agent cannot drift from it unseen."""

from pathlib import Path

from archipel_contract.jobs import JobState
from archipel_tui.app import ArchipelApp
from tests.fakes.service import ScriptedService
from tests.fakes.serving import serving
from tests.tui.conftest import RICH, ManualClock, Session


async def test_home_doctor_and_a_job_work_with_the_real_server(tmp_path: Path, manual: ManualClock) -> None:
    service = ScriptedService()
    with serving(service, tmp_path / "agent.sock"):
        app = ArchipelApp(tmp_path / "agent.sock", RICH, "en", manual.clock())
        async with app.run_test(size=(80, 24)) as pilot:
            session = Session(pilot, app)
            await session.until("+ Healthy")
            await session.press("2")
            await session.until("2 checks: 1 OK, 0 found, 1 not decided")
            await session.press("u")
            await session.until("Enter starts it.")
            await session.press("enter")
            await session.until("Check this machine")
            service.run_to(JobState.SUCCEEDED, sentence="The node is Ready.")
            await session.until("+ Done. The node is Ready.")
            await session.until("k3s is starting")
            await session.press("6")
            await session.until("two")
            service.change(sentence="changed")
            await session.press("1")
            await session.until("changed")
