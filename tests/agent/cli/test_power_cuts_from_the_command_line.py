"""`archipel accept cut` over two starts of a simulated machine: the round goes on, is judged, and counts."""

import argparse
import io
import json

import pytest

from archipel_agent.acceptance import power_cut
from archipel_agent.cli import accept_cutting
from archipel_agent.cli.accept import parser
from archipel_agent.cli.command import Session
from archipel_agent.cli.output import Screen
from archipel_agent.paths import Paths
from archipel_agent.ports import Cancelled, Ports
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_contract.client import AgentClient
from archipel_contract.exits import Exit
from tests.fakes.clock import VirtualClock
from tests.fakes.disk import TreacherousDisk


class CutAfter(VirtualClock):
    """A clock at whose n-th wait the plug is pulled."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.left = waits

    def wait(self, seconds: float) -> None:
        """See ports.Clock."""
        self.left -= 1
        if self.left < 0:
            raise Cancelled
        super().wait(seconds)


def machine(disk: TreacherousDisk, boot: int, waits: int = 10**6) -> Ports:
    """A rehearsed machine in one of its starts."""
    made = rehearse(Paths(), Scenario(), CutAfter(waits), disk)
    made.world.state.boots = boot
    return made.ports


def typed(ports: Ports, *words: str) -> tuple[int, str]:
    """Type `archipel accept cut WORDS`; the exit code, and what was printed."""
    options: argparse.Namespace = parser().parse_args(["cut", *words])
    out = io.StringIO()
    screen = Screen(out, io.StringIO(), color=False, language="en", as_json=options.json)
    session = Session(options, screen, Paths(), AgentClient(Paths().socket, 1.0))
    return accept_cutting.cut(session, ports), out.getvalue()


def test_a_round_is_begun_survives_the_cut_and_is_judged_by_the_number_that_was_seen() -> None:
    disk = TreacherousDisk()
    with pytest.raises(Cancelled):
        typed(machine(disk, 1, waits=20), "--rounds", "2")
    loop = power_cut.load(disk, Paths())
    assert loop is not None
    assert loop.boot_id
    assert (loop.wanted, loop.rounds) == (2, ())
    code, said = typed(machine(disk, 2, waits=400), "--seen", "21", "--check", "--json")
    judged = json.loads(said)["rounds"]
    assert [(one["number"], one["written"], one["seen"]) for one in judged] == [(1, 21, 21)]
    # No k3s lives on this machine, and a round without it is not good.
    assert (code, judged[0]["verdict"], judged[0]["said"]) == (
        Exit.NOT_OK,
        "fail",
        "k3s did not become ready",
    )


def test_a_machine_that_was_not_off_goes_on_with_its_round() -> None:
    disk = TreacherousDisk()
    for _ in range(2):
        with pytest.raises(Cancelled):
            typed(machine(disk, 1, waits=5))
    loop = power_cut.load(disk, Paths())
    assert loop is not None
    assert loop.rounds == ()


def test_rounds_can_be_forgotten() -> None:
    disk = TreacherousDisk()
    with pytest.raises(Cancelled):
        typed(machine(disk, 1, waits=5))
    assert typed(machine(disk, 1), "--forget")[0] == Exit.OK
    assert power_cut.load(disk, Paths()) is None
