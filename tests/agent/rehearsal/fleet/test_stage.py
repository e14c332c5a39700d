"""`archipel rehearse` as a person runs it: real processes on a real broker, steered from outside, ended in order."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.rehearsal.fleet.control import ControlFailed, ask
from archipel_contract.exits import Exit
from archipel_contract.link.messages import Hello
from tests.agent.rehearsal.fleet.controller import SmallController
from tests.brokers.servers import RealBroker
from tests.hosts import shell

pytestmark = [pytest.mark.broker, pytest.mark.real_process, pytest.mark.timeout(60)]
PROGRAM = [sys.executable, "-m", "archipel_contract.launcher", "rehearse"]
SITES, NODES = 3, 3


@dataclass(slots=True)
class Running:
    """A rehearsal that runs."""

    root: Path
    process: shell.Spawned

    def ask(self, verb: str, *where: str, **more: Any) -> dict[str, Any]:
        """What it answers."""
        return ask(self.root, verb=verb, where=list(where), **more)

    def lines(self) -> list[dict[str, Any]]:
        """What it has told so far."""
        return [json.loads(line) for line in self.process.output().splitlines() if line.startswith("{")]

    def children(self) -> list[int]:
        """The processes it has started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in listed.split()]


def until(what: str, seen: Callable[[], bool], running: Running, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert running.process.rc is None, f"it ended: {running.process.output()[-3000:]}"
        assert time.monotonic() < deadline, f"{what}: not seen; it said {running.process.output()[-3000:]}"
        time.sleep(0.05)


@pytest.fixture
def controller(mosquitto: RealBroker) -> Iterator[SmallController]:
    """Somebody who answers."""
    with SmallController(mosquitto.url) as small:
        yield small


@pytest.fixture
def rehearsal(mosquitto: RealBroker, controller: SmallController, tmp_path: Path) -> Iterator[Running]:
    """Three sites of three machines."""
    root = tmp_path / "rehearsal"
    words = ["--sites", str(SITES), "--nodes", str(NODES), "--broker", str(mosquitto.url), "--json"]
    argv = [*PROGRAM, *words, "--root", str(root), "--seed", "4", "--interval", "1", "--metrics-every", "1"]
    process = shell.spawn(argv, output=tmp_path / "out")
    try:
        running = Running(root, process)
        until("the root", lambda: any(line["phase"] == "root" for line in running.lines()), running)
        yield running
    finally:
        process.stop(grace=20)


def named(controller: SmallController, node_name: str) -> Hello:
    """The last hello of a node."""
    return next(hello for hello in tuple(controller.hellos.values()) if hello.node_name == node_name)


def is_open(running: Running) -> bool:
    return any(line["phase"] == "open" for line in running.lines())


def test_three_sites_come_up_an_outage_shows_and_heals_and_all_ends_in_order(
    rehearsal: Running, controller: SmallController
) -> None:
    until("everything stands", lambda: is_open(rehearsal), rehearsal)
    until("every state", lambda: len(controller.states) == SITES * NODES, rehearsal)
    until("metrics", lambda: controller.counts["metrics"] > SITES * NODES, rehearsal)
    assert all(hello.rehearsed for hello in controller.hellos.values())
    assert {hello.site_name for hello in controller.hellos.values()} == {
        f"rehearsed-00{number}" for number in range(1, SITES + 1)
    }
    assert all(state["rehearsed"] and len(state["nodes"]) == NODES for state in controller.states.values())

    rehearsal.ask("make", "rehearsed-002", what="cut")
    until("the outage", lambda: not any(controller.of_site("rehearsed-002").values()), rehearsal)
    assert all(controller.of_site("rehearsed-001").values())
    shown = rehearsal.ask("show")
    assert shown["nodes"]["rehearsed-002-b"]["troubles"] in (["cut"], [])  # told within half a second
    rehearsal.ask("heal", "rehearsed-002")
    until("the way back", lambda: all(controller.of_site("rehearsed-002").values()), rehearsal, 45)

    children = rehearsal.children()
    assert rehearsal.process.stop(grace=20) == 0
    assert not any(controller.connected.values())
    assert rehearsal.lines()[-1]["phase"] == "end"
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert not (rehearsal.root / "control.sock").exists()


def test_a_power_cut_takes_a_machine_off_the_link_and_its_way_back_is_a_new_life(
    rehearsal: Running, controller: SmallController
) -> None:
    until("everything stands", lambda: is_open(rehearsal), rehearsal)
    until("every hello", lambda: len(controller.hellos) == SITES * NODES, rehearsal)
    before = {hello.node_name: hello for hello in controller.hellos.values()}
    rehearsal.ask("make", "rehearsed-001-b", what="power-cut", seconds=3)
    until("the dark", lambda: not controller.of_site("rehearsed-001")["rehearsed-001-b"], rehearsal)
    old = before["rehearsed-001-b"]
    until("the light", lambda: named(controller, old.node_name).boot != old.boot, rehearsal)
    new = named(controller, old.node_name)
    assert new.connection > old.connection
    assert new.epochs["1"] > old.epochs["1"]


def test_a_request_that_makes_no_sense_is_refused_and_the_rest_goes_on(
    rehearsal: Running, controller: SmallController
) -> None:
    for request, said in (
        ({"verb": "make", "what": "flood", "where": ["all"]}, "no trouble 'flood'"),
        ({"verb": "make", "what": "cut", "where": ["munich"]}, "no site or node 'munich'"),
        ({"verb": "make", "what": "cut", "where": []}, "say where"),
        ({"verb": "make", "what": "clock", "to": "soon", "where": ["all"]}, "a clock goes"),
        ({"verb": "make", "what": "cut", "where": ["all"], "seconds": "long"}, "seconds must be"),
        ({"verb": "make", "what": "cut", "where": ["all"], "seconds": -1}, "seconds must be"),
        ({"verb": "make", "what": "cut", "where": "all"}, "where must be a list"),
        ({"verb": "heal", "what": 3, "where": ["all"]}, "what must be text"),
        ({"verb": "dance"}, "no verb 'dance'"),
    ):
        with pytest.raises(ControlFailed, match=said):
            ask(rehearsal.root, **request)
    until("everything stands", lambda: is_open(rehearsal), rehearsal)


def test_when_the_stage_is_killed_its_processes_end_too(
    rehearsal: Running, controller: SmallController
) -> None:
    until("processes", lambda: len(rehearsal.children()) == 1, rehearsal)
    until("hellos", lambda: len(controller.hellos) >= 1, rehearsal)
    (child,) = rehearsal.children()
    os.kill(rehearsal.process.pid, signal.SIGKILL)
    rehearsal.process.wait(10)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_a_process_that_ends_by_itself_ends_the_rehearsal_and_is_said(
    rehearsal: Running, controller: SmallController
) -> None:
    until("processes", lambda: len(rehearsal.children()) == 1, rehearsal)
    os.kill(rehearsal.children()[0], signal.SIGKILL)
    assert rehearsal.process.wait(20) == Exit.FAILED
    assert "a process ended by itself" in rehearsal.process.output()


def test_ctrl_c_ends_everything_and_takes_the_directory_along(
    mosquitto: RealBroker, controller: SmallController, tmp_path: Path
) -> None:
    argv = [*PROGRAM, "--sites", "1", "--nodes", "1", "--broker", str(mosquitto.url), "--json"]
    process = shell.spawn(argv, output=tmp_path / "out")
    running = Running(tmp_path, process)
    try:
        until("everything stands", lambda: is_open(running), running)
        root = Path(running.lines()[0]["root"])
        assert root.is_dir()
        process.signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert not root.exists()
    finally:
        process.stop()
