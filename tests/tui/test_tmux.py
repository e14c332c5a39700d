"""The screen inside tmux, as a person over SSH has it, with tmux' own idea of what stands on the screen."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.on_terminal import COMMAND, PATIENCE

pytestmark = [
    pytest.mark.real_process,
    pytest.mark.tmux,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


class Tmux:
    """A server of its own, so that nobody's sessions are touched."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def run(self, *words: str) -> str:
        """Run a tmux command."""
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def text(self) -> str:
        """What stands on the screen."""
        return self.run("capture-pane", "-p", "-t", "t")

    def until(self, wanted: str) -> str:
        """Wait for these words."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if wanted in self.text():
                return self.text()
            time.sleep(0.05)
        raise AssertionError(f"{wanted!r} is not on the screen:\n{self.text()}")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A tmux of 80x24."""
    server = Tmux(tmp_path / "tmux.sock")
    yield server
    server.run("kill-server")


def test_a_box_is_set_up_from_home_to_ready_in_a_real_terminal(tmux: Tmux, agent: FakeAgent) -> None:
    agent.push(scenes.bare())
    command = " ".join([*COMMAND, "--socket", str(agent.path)])
    path = ":".join(word for word in sys.path if word)
    tmux.run("new-session", "-d", "-s", "t", "-x", "80", "-y", "24", f"env PYTHONPATH={path} {command}")
    tmux.until("Not set up yet")
    tmux.run("send-keys", "-t", "t", "u")
    tmux.until("Enter starts it.")
    tmux.run("send-keys", "-t", "t", "Enter")
    tmux.until("Step 1 of 8")
    tmux.run("send-keys", "-t", "t", "Escape")
    tmux.until("J Progress")
    tmux.run("send-keys", "-t", "t", "F9")
    tmux.until("Dieses Gerät")
    agent.push(scenes.healthy())
    text = tmux.until("+ Gesund")
    assert text.splitlines()[0].startswith(" edge-07  Übersicht")
    assert text.splitlines()[1].startswith("┌─ Dieses Gerät ─")
