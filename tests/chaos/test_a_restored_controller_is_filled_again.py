"""A controller comes back with an older database: its nodes notice, and offer again what they still keep."""

import re
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fleet.controllers import RealController
from tests.hosts import shell

pytestmark = [pytest.mark.real_process, pytest.mark.broker, pytest.mark.timeout(120)]
FLEET = [sys.executable, "-m", "archipel_contract.launcher", "fleet"]


def talk(directory: Path, controller: RealController, count: int) -> None:
    """Have the node say its numbers up to `count`, and wait until all is acknowledged."""
    words = [str(directory / "disk"), str(directory / "ledger"), f"mqtt://127.0.0.1:{controller.broker_port}"]
    shell.run([sys.executable, "-m", "tests.chaos.chatter", *words, str(count), "20", "0"], timeout=60).ok()


def numbers(controller: RealController) -> Counter[int]:
    """Return how often each number is in the database."""
    database = sqlite3.connect(controller.data / "fleet.db")
    rows = database.execute("SELECT payload FROM events WHERE kind = 'note'").fetchall()
    database.close()
    return Counter(int(found[1]) for (payload,) in rows if (found := re.search(rb'"text":"(\d+)"', payload)))


def test_events_acknowledged_after_the_copy_was_made_are_offered_again_and_taken_once(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    controller = RealController(tmp_path)
    copy = tmp_path / "fleet.copy"
    controller.start()
    try:
        talk(tmp_path, controller, 60)
        shell.run([*FLEET, "backup", str(copy), "--data", str(controller.data)]).ok()
        talk(tmp_path, controller, 200)
        assert numbers(controller) == Counter(range(1, 201))
        controller.stop()
        shell.run([*FLEET, "restore", str(copy), "--data", str(controller.data)]).ok()
        assert numbers(controller) == Counter(range(1, 61))
        controller.start()
        talk(tmp_path, controller, 201)
        assert numbers(controller) == Counter(range(1, 202))
    finally:
        controller.stop()
