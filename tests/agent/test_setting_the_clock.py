"""Setting the clock by hand, through the agent's core on a rehearsed machine with a clock of its own."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel_agent.core import Core
from archipel_agent.host.privileged import set_clock, verbs_for
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Completed
from archipel_agent.rehearsal.compose import Rehearsal, rehearse
from archipel_agent.rehearsal.fleet.clock import MachineClock
from archipel_agent.rehearsal.runner import SimulatedRunner
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract.api import ClockWish
from archipel_contract.facts import ClockQuality, ClockSource
from tests.fakes.clock import START, VirtualClock

RIGHT = START + timedelta(days=30)


@pytest.fixture
def machine(tmp_path: Path) -> Rehearsal:
    """A machine that has just started in 1970, with nobody to tell it the time."""
    base = VirtualClock()
    clock = MachineClock(base, 100.0)
    clock.arrive()
    clock.put_right(datetime(1970, 1, 1, tzinfo=UTC))
    made = rehearse(Paths(tmp_path), Scenario(), clock)
    made.world.state.synchronized = False
    return made


@pytest.fixture
def core(machine: Rehearsal, tmp_path: Path) -> Iterator[Core]:
    """Its agent."""
    paths = Paths(tmp_path)
    database = Database(paths.database)
    yield Core(machine.ports, paths, Settings(), "n-0123456789abcdef", Store(database))
    database.close()


def test_a_person_sets_a_clock_that_started_in_1970_and_it_is_plausible_then(
    core: Core, machine: Rehearsal
) -> None:
    assert core.turn().node.clock is ClockQuality.WRONG
    node = core.set_clock(ClockWish(at=RIGHT.isoformat()), "anna").node
    assert machine.ports.clock.now() == RIGHT
    assert (node.clock, node.clock_source) == (ClockQuality.PLAUSIBLE, ClockSource.TECHNICIAN)
    assert node.clock_floor == "2026-12-22T07:00:00Z"


def test_who_set_the_clock_stands_in_the_chained_journal(core: Core) -> None:
    core.set_clock(ClockWish(at=RIGHT.isoformat()), "anna")
    page = core.audit(10, verify=True)
    [entry] = [one for one in page.entries if one.action == "clock:set"]
    assert (entry.actor, entry.outcome, entry.detail) == ("local:anna", "done", RIGHT.isoformat())
    assert page.verified


def test_a_clock_that_a_time_server_keeps_is_not_set(core: Core, machine: Rehearsal) -> None:
    machine.world.state.synchronized = True
    clock = machine.ports.clock
    assert isinstance(clock, MachineClock)
    clock.go_right()
    with pytest.raises(Refused) as caught:
        core.set_clock(ClockWish(at=RIGHT.isoformat()), "anna")
    assert caught.value.status == 409
    assert clock.now() == START


@pytest.mark.parametrize("at", ["2006-11-22T14:05:00Z", "2126-11-22T14:05:00Z"])
def test_a_year_that_cannot_be_is_refused_and_nothing_is_set(core: Core, machine: Rehearsal, at: str) -> None:
    before = machine.ports.clock.now()
    with pytest.raises(Refused) as caught:
        core.set_clock(ClockWish(at=at), "anna")
    assert caught.value.status == 409
    assert machine.ports.clock.now() == before


@pytest.mark.parametrize("at", ["2026-11-22T14:05:00", "soon", ""])
def test_a_time_without_a_zone_or_sense_is_refused(core: Core, at: str) -> None:
    with pytest.raises(Refused) as caught:
        core.set_clock(ClockWish(at=at), "anna")
    assert caught.value.status == 400


def test_a_machine_that_cannot_set_its_clock_says_so_and_keeps_no_word(
    tmp_path: Path,
) -> None:
    plain = rehearse(Paths(tmp_path), Scenario(), VirtualClock())  # a clock that nobody can set
    plain.world.state.synchronized = False
    database = Database(Paths(tmp_path).database)
    core = Core(plain.ports, Paths(tmp_path), Settings(), "n-0123456789abcdef", Store(database))
    with pytest.raises(Refused) as caught:
        core.set_clock(ClockWish(at=RIGHT.isoformat()), "anna")
    assert caught.value.status == 503
    assert core.turn().node.clock_source is ClockSource.NONE
    database.close()


class NotedRunner(SimulatedRunner):
    """A runner that notes what it was asked to run, on a board without a battery-backed clock."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []

    def run(self, argv: object, **_: object) -> Completed:
        """Note it; hwclock fails."""
        assert isinstance(argv, list)
        self.ran.append(tuple(argv))
        if argv[0] == "hwclock":
            raise CommandFailed("hwclock: Cannot access the Hardware Clock via any known method.", 1)
        return Completed(argv=tuple(argv), code=0, stdout="", stderr="")


def test_the_system_clock_is_set_and_the_battery_backed_one_where_there_is_one() -> None:
    runner = NotedRunner()
    set_clock(1_795_356_890, runner)
    assert runner.ran == [("date", "--utc", "--set=@1795356890"), ("hwclock", "--systohc", "--utc")]


def test_the_sandboxed_agent_has_a_verb_for_it(machine: Rehearsal) -> None:
    runner = NotedRunner()
    verbs_for(machine.ports.disk, runner)["set-clock"]({"at": "1795356890"})
    assert runner.ran[0][0] == "date"


def test_the_word_of_a_person_outlives_a_restart_of_the_agent_as_floor_only(
    core: Core, tmp_path: Path
) -> None:
    core.set_clock(ClockWish(at=RIGHT.isoformat()), "anna")
    with sqlite3.connect(Paths(tmp_path).database) as connection:
        kept = dict(connection.execute("SELECT name, value FROM meta WHERE name LIKE 'time%'"))
    connection.close()
    assert kept["time_floor"] == "2026-12-22T07:00:00Z"
    assert "technician" in kept["time_heard"]
