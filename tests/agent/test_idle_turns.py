"""What an idle turn reads anew and what it takes from the turns before, on a rehearsed machine in virtual time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from archipel_agent.observe import World
from archipel_agent.paths import Paths
from archipel_agent.ports import Machine, Ports
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.turn import FACTS_SECONDS, Turner
from archipel_contract.facts import NodeFacts
from tests.fakes.clock import VirtualClock


class CountedMachine:
    """A machine that counts how often it is asked what it is; all else is the inner one's."""

    def __init__(self, inner: Machine) -> None:
        self._inner = inner
        self.asked = 0
        self.cable = 0

    def facts(self) -> NodeFacts:
        """See ports.Machine."""
        self.asked += 1
        return self._inner.facts()

    def pulse(self) -> object:
        """See ports.Machine."""
        return (self._inner.pulse(), self.cable)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def settled(root: Path) -> tuple[Turner, CountedMachine, VirtualClock]:
    """A turner that has looked once, so that its next turns are idle ones."""
    clock = VirtualClock()
    paths = Paths(root)
    plain: Ports = rehearse(paths, Scenario(pace=0.1), clock).ports
    machine = CountedMachine(plain.machine)
    turner = Turner(replace(plain, machine=machine), World(paths=paths, store=None), "n-0123456789abcdef")
    for _ in range(2):
        turner.turn()
        clock.advance(1.0)
    machine.asked = 0
    return turner, machine, clock


def test_what_the_machine_is_is_read_once_a_minute_and_not_in_every_turn(tmp_path: Path) -> None:
    turner, machine, clock = settled(tmp_path)
    for _ in range(60):
        turner.turn()
        clock.advance(10.0)
    assert machine.asked in range(int(600 / FACTS_SECONDS) - 1, int(600 / FACTS_SECONDS) + 2)


def test_a_cable_that_is_pulled_has_the_machine_read_at_once(tmp_path: Path) -> None:
    turner, machine, _ = settled(tmp_path)
    turner.turn()
    assert machine.asked == 0
    machine.cable = 1
    turner.turn()
    assert machine.asked == 1


def test_while_somebody_watches_every_turn_reads_it(tmp_path: Path) -> None:
    turner, machine, clock = settled(tmp_path)
    for _ in range(3):
        turner.turn(watched=True)
        clock.advance(2.0)
    assert machine.asked == 3


def test_a_turn_asked_to_look_closely_reads_it(tmp_path: Path) -> None:
    turner, machine, _ = settled(tmp_path)
    turner.turn(close=True)
    assert machine.asked == 1
