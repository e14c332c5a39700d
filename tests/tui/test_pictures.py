"""The screens as pictures. Set ARCHIPEL_PICTURES to a directory to keep them and look at them."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.conftest import Opened

SCREENS = {"home": "1", "doctor": "2", "pods": "4", "menu": "0", "help": "h"}


@pytest.mark.parametrize("language", ["en", "de"])
async def test_each_screen_can_be_taken_as_a_picture_that_shows_its_words(
    opened: Opened, agent: FakeAgent, tmp_path: Path, language: str
) -> None:
    keep = os.environ.get("ARCHIPEL_PICTURES")
    folder = Path(keep) if keep else tmp_path
    agent.push(replace(scenes.sick(), rehearsed=True))
    async with opened(language=language) as session:
        await session.until("REHEARSAL")
        for name, key in SCREENS.items():
            await session.press(key)
            await session.pilot.pause(0.2)
            drawn = session.app.export_screenshot(title=f"archipel tui: {name}")
            shown = re.sub(r"<[^>]+>|&#160;", " ", drawn)
            assert "edge-07" in shown and "REHEARSAL" in shown
            (folder / f"{name}-{language}.svg").write_text(drawn, encoding="utf-8")
    assert len(list(folder.glob(f"*-{language}.svg"))) >= len(SCREENS)
