"""A scripted agent, an app that talks to it at a fixed time, and what stands on its screen."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from textual.pilot import Pilot

from archipel_contract.catalogue.ui import table
from archipel_tui.app import ArchipelApp
from archipel_tui.clock import Clock
from archipel_tui.terminal import Mode, Terminal
from tests.fakes.agent_server import FakeAgent, Script
from tests.tui import scenes

RICH = Terminal(mode=Mode.RICH)
ASCII = Terminal(mode=Mode.SERIAL, ascii_only=True, mono=True)
NOW = datetime(2026, 1, 2, 3, 4, 30, tzinfo=UTC)
PATIENCE = 400  # looks of 25 ms each: 10 s on a slow machine


class ManualClock:
    """Time for the screen; a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self) -> Clock:
        """What the app takes."""
        return Clock(now=lambda: NOW, monotonic=lambda: self.seconds)


@pytest.fixture(autouse=True, scope="session")
def _words_are_read() -> None:
    """As `main` has it: the app is made, and the words are read, before an event loop runs."""
    table()


@pytest.fixture
def manual() -> ManualClock:
    """The time."""
    return ManualClock()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    """A healthy site's agent, answering."""
    script = Script(report=scenes.healthy(), facts=scenes.FACTS, checks=scenes.CHECKS, plan=scenes.PLAN)
    fake = FakeAgent(tmp_path / "agent.sock", script)
    fake.come_back()
    yield fake
    fake.leave()


class Session:
    """An app under test."""

    def __init__(self, pilot: Pilot[None], app: ArchipelApp) -> None:
        self.pilot = pilot
        self.app = app

    def rows(self) -> list[str]:
        """What stands on the screen, row by row."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.rows())

    async def press(self, *keys: str) -> None:
        """Press keys, then let everything settle."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, wanted: str, absent: bool = False) -> str:
        """Wait until these words stand on the screen (or no longer do) and return the whole text."""
        for _ in range(PATIENCE):
            if (" ".join(wanted.split()) in " ".join(self.text().split())) is not absent:
                return self.text()
            await self.pilot.pause(0.025)
        raise AssertionError(f"{wanted!r} {'is still' if absent else 'is not'} on the screen:\n{self.text()}")


Opened = Callable[..., AbstractAsyncContextManager[Session]]


@pytest.fixture
def opened(agent: FakeAgent, manual: ManualClock) -> Opened:
    """Open the app on the scripted agent: `async with opened(size=(80, 24)) as session`."""

    @asynccontextmanager
    async def open_app(
        size: tuple[int, int] = (80, 24),
        language: str = "en",
        terminal: Terminal = RICH,
        wait: str | None = "edge-07",
    ) -> AsyncIterator[Session]:
        app = ArchipelApp(agent.path, terminal, language, manual.clock())
        async with app.run_test(size=size) as pilot:
            session = Session(pilot, app)
            if wait is not None:
                await session.until(wait)
            yield session

    return open_app
