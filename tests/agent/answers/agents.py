"""A rehearsed agent over real files, begun as the daemon does it, whose turns a test takes one by one."""

from pathlib import Path

from archipel_agent.answering import Answering, answers_of
from archipel_agent.compose import open_core
from archipel_agent.core import Core
from archipel_agent.paths import Paths
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.settings import load
from archipel_agent.state.database import Database
from archipel_contract.answers import FILE
from tests.fakes.clock import VirtualClock
from tests.fakes.media import FakeMedia


class Agent:
    """A rehearsed agent over real files, begun as the daemon does it."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.ports = rehearse(self.paths, Scenario(pace=0.05), VirtualClock()).ports
        self.media = FakeMedia(self.ports.disk)
        self.again = 0
        self.database: Database | None = None
        self.begin()

    def begin(self) -> None:
        """Start it."""
        if self.database is not None:
            self.database.close()
        self.settings = load(self.paths.settings, {})
        self.core: Core
        self.core, self.database = open_core(self.paths, self.ports, self.settings)
        self.answering: Answering = answers_of(self.core, self.settings, self.media, self._again)

    def _again(self) -> None:
        self.again += 1

    def live(self, turns: int = 6) -> None:
        """Take turns until each job that was begun is over."""
        for _ in range(turns):
            before = self.again
            self.answering.look()
            if self.again > before:
                self.begin()
            assert self.core.manager is not None
            assert self.core.manager.wait_idle(20)
            self.ports.clock.wait(10)

    def lay(self, text: str, name: str = "boot/firmware") -> Path:
        """Put a file there."""
        place = self.paths.at(name) / FILE
        self.ports.disk.write(place, text.encode())
        return place
