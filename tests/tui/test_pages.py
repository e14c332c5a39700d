"""Menu, pods, logs, help, keys and languages."""

import pytest

from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.conftest import Opened

LOG = tuple(
    f'time="2026-01-02T03:04:{number:02}Z" level={"error" if number == 30 else "info"} msg="line {number}"'
    for number in range(60)
)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("0", "Press the key, or choose"),
        ("2", "What was found"),
        ("f2", "What was found"),
        ("4", "+ 3 of 3 ready"),
        ("6", "k3s, last"),
        ("8", "Secrets are removed."),
        ("h", "Keys that work everywhere"),
        ("f1", "Keys that work everywhere"),
    ],
)
async def test_a_key_opens_its_screen_and_escape_or_1_leads_home(
    opened: Opened, key: str, wanted: str
) -> None:
    for back in ("escape", "1"):
        async with opened() as session:
            await session.until("+ Healthy")
            await session.press(key)
            await session.until(wanted)
            await session.press(back)
            await session.until("What the agent saw last")


async def test_no_screen_is_deeper_than_one_below_home(opened: Opened) -> None:
    async with opened() as session:
        for key in ("2", "4", "6", "0", "2"):
            await session.press(key)
        assert len(session.app.screen_stack) == 2


async def test_the_menu_is_walked_with_arrows_and_enter(opened: Opened) -> None:
    async with opened() as session:
        await session.press("0", "down", "enter")
        await session.until("What was found")


async def test_capital_letters_work_as_small_ones_do(opened: Opened) -> None:
    async with opened() as session:
        await session.press("S")
        await session.until("Stop k3s and all pods on this box?")


async def test_the_language_changes_at_once_on_every_screen_and_back(opened: Opened) -> None:
    async with opened() as session:
        await session.until("+ Healthy")
        await session.press("g")
        text = await session.until("+ Gesund")
        assert "Dieses Gerät" in text and "This box" not in text and "F9 English" in text
        await session.press("2")
        await session.until("Prüfungen")
        await session.until("Das braucht Administratorrechte")
        await session.press("f9")
        await session.until("This needs administrator rights")
        await session.press("1")
        await session.until("+ Healthy")


async def test_every_pod_is_listed_with_the_reason_it_is_not_ready(opened: Opened, agent: FakeAgent) -> None:
    agent.push(scenes.sick())
    async with opened() as session:
        await session.until("x 2 problems")
        await session.press("4")
        text = await session.until("! 3 of 4 ready")
        assert "ImagePullBackOff" in text and "3 restarts" in text
        assert "the image registry.example/camera:1.4 is not on this box" in text
        assert text.index("camera") < text.index("coredns")


async def test_logs_open_at_their_end_and_can_be_scrolled_filtered_and_switched(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.script.logs = {"k3s": LOG, "agent": ("the agent says hello",)}
    async with opened() as session:
        await session.press("6")
        text = await session.until('msg="line 59"')
        assert 'msg="line 0"' not in text and "k3s, last 60 lines" in text
        await session.press("home")
        await session.until('msg="line 0"')
        await session.press("e")
        text = await session.until('msg="line 30"')
        assert 'msg="line 29"' not in text and "errors among the last 60 lines" in text
        await session.press("t")
        await session.until("No line looks like an error.")
        await session.press("e")
        await session.until("the agent says hello")


async def test_a_log_that_grows_is_followed_only_by_who_reads_its_end(
    opened: Opened, agent: FakeAgent
) -> None:
    agent.script.logs = {"k3s": LOG}
    async with opened() as session:
        await session.press("6")
        await session.until('msg="line 59"')
        agent.script.logs = {"k3s": (*LOG, "one more")}
        await session.until("one more")
        await session.press("home")
        agent.script.logs = {"k3s": (*LOG, "one more", "and another")}
        await session.pilot.pause(0.3)
        assert 'msg="line 0"' in session.text()


async def test_leaving_ends_the_program_with_success(opened: Opened) -> None:
    for key in ("q", "f10", "ctrl+c"):
        async with opened() as session:
            await session.press(key)
        assert session.app.return_code == 0
