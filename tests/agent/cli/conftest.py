"""The `archipel` command in this process, with a scripted agent behind a real socket below a root of its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archipel_agent import compose
from archipel_agent.paths import Paths
from archipel_contract import launcher
from tests.fakes.lan import ScriptedLan
from tests.fakes.service import ScriptedService
from tests.fakes.serving import serving


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The answer read as JSON."""
        return json.loads(self.out)


class Archipel:
    """Runs the command as a person would type it."""

    def __init__(self, capsys: pytest.CaptureFixture[str], paths: Paths) -> None:
        self._capsys = capsys
        self.paths = paths

    def __call__(self, *words: str) -> Said:
        self._capsys.readouterr()
        code = launcher.main(list(words))
        out, err = self._capsys.readouterr()
        return Said(code, out, err)


@pytest.fixture
def archipel(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Archipel:
    """The command, for a machine below a temporary root where no agent runs yet."""
    for name in ("NO_COLOR", "ARCHIPEL_LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("ARCHIPEL_ROOT", str(tmp_path))
    # Nobody around this machine is asked by a test.
    monkeypatch.setattr(compose, "ArpLan", lambda runner: ScriptedLan())
    return Archipel(capsys, Paths(tmp_path))


@pytest.fixture
def service() -> ScriptedService:
    """The scripted agent."""
    return ScriptedService()


@pytest.fixture
def agent(archipel: Archipel, service: ScriptedService) -> Iterator[Archipel]:
    """The command, with the scripted agent at its socket."""
    with serving(service, archipel.paths.socket):
        yield archipel
