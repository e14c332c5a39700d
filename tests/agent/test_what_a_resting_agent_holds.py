"""What an agent at rest holds in memory: nothing of jobs, commands and features that nobody asked it for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.resting import excess

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.real_process
@pytest.mark.parametrize("kind", ["alone", "fleet"])
def test_a_resting_agent_holds_nothing_that_it_does_not_need(kind: str, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.agent.resting", kind, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout.splitlines()) == (0, ["start:", "rest:"]), said.stderr[-2000:]


def test_what_is_not_named_in_a_package_counts_as_too_much() -> None:
    held = {
        "archipel_agent.steps",
        "archipel_agent.steps.story",
        "archipel_agent.turn",
        "urllib.parse",
        "json",
    }
    assert excess(held, has_fleet=False) == []
    too_much = {
        "archipel_agent.steps.start",
        "archipel_agent.answers.keeper",
        "zipfile",
        "cryptography.x509.base",
    }
    assert excess(held | too_much, has_fleet=True) == sorted(too_much)
    assert excess({"paho.mqtt", "cryptography"}, has_fleet=True) == []
    assert excess({"paho.mqtt", "cryptography"}, has_fleet=False) == ["cryptography", "paho.mqtt"]
