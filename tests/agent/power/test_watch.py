"""The watch over a UPS: what it asks, what it orders, what it says, in virtual time on a rehearsed machine."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from archipel_agent.compose import open_core
from archipel_agent.core import Core
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed
from archipel_agent.power.watch import SILENT_SECONDS, PowerWatch
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.memory_disk import MemoryDisk
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.settings import Settings
from tests.fakes.clock import VirtualClock
from tests.fakes.ups import ScriptedUps


@dataclass
class Orders:
    """Stands where privileged things are done, and keeps what was asked for."""

    given: list[str] = field(default_factory=list)
    refuses: bool = False

    def call(self, verb: str, **parameters: str) -> None:
        """See ports.Privileged."""
        self.given.append(verb)
        if self.refuses:
            raise CommandFailed("Failed to connect to bus")


@dataclass
class Cabinet:
    """A machine, its UPS, and who looks after both."""

    core: Core
    clock: VirtualClock
    ups: ScriptedUps
    orders: Orders
    watch: PowerWatch
    noted: list[str]

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds // 10)):
            self.watch.look()
            self.clock.advance(10.0)


@pytest.fixture
def cabinet(tmp_path: Path) -> Iterator[Cabinet]:
    clock, ups, orders, noted = VirtualClock(), ScriptedUps(), Orders(), []
    made = rehearse(Paths(tmp_path), Scenario(pace=0.05), clock, MemoryDisk())
    ports = replace(made.ports, ups=ups, privileged=orders)
    watch = PowerWatch(ports, "rack@127.0.0.1", 0.0, lambda outcome, _: noted.append(outcome))
    core, database = open_core(Paths(tmp_path), ports, Settings(ups="rack@127.0.0.1"))
    yield Cabinet(core, clock, ups, orders, watch, noted)
    assert database is not None
    database.close()


def test_a_low_battery_is_announced_then_ordered_and_noted(cabinet: Cabinet) -> None:
    cabinet.passes(60)
    assert (cabinet.orders.given, cabinet.watch.seen.supply) == ([], "line")
    cabinet.ups.status, cabinet.ups.charge = "OB LB", 17
    cabinet.passes(10)
    assert cabinet.watch.seen.shutting_down and cabinet.watch.seen.charge == "10 %"
    cabinet.passes(30)
    assert cabinet.orders.given == ["power-off"]
    assert cabinet.noted == ["announce", "shut-down"]


def test_power_that_comes_back_in_time_leaves_the_machine_on(cabinet: Cabinet) -> None:
    cabinet.ups.status = "OB LB"
    cabinet.passes(10)
    cabinet.ups.status = "OL CHRG"
    cabinet.passes(600)
    assert cabinet.orders.given == []
    assert cabinet.noted == ["announce", "call-off"]
    assert not cabinet.watch.seen.shutting_down


def test_a_ups_that_falls_silent_shuts_nothing_down_and_is_asked_less_often(cabinet: Cabinet) -> None:
    cabinet.ups.is_silent = True
    cabinet.passes(3600)
    assert cabinet.orders.given == []
    assert (cabinet.watch.seen.supply, cabinet.watch.seen.problem[:22]) == (
        "unknown",
        "127.0.0.1:3493 does no",
    )
    assert cabinet.ups.asked <= 3600 / SILENT_SECONDS + 1


def test_an_order_that_fails_is_said_and_given_again(cabinet: Cabinet) -> None:
    cabinet.orders.refuses = True
    cabinet.ups.status = "OB LB"
    cabinet.passes(200)
    assert cabinet.orders.given == ["power-off", "power-off"]
    assert cabinet.watch.seen.failed == "Failed to connect to bus"


def test_what_the_ups_says_stands_in_the_next_report_with_its_finding(cabinet: Cabinet) -> None:
    core = cabinet.core
    core.upkeep.rounds.go(core.upkeep.parts())
    first = core.turn(close=True)
    assert first.node.usage.supply == "line"
    cabinet.ups.status = "OB"
    cabinet.clock.advance(10.0)
    core.upkeep.rounds.go(core.upkeep.parts())
    report = core.turn()
    assert report.node.usage.supply == "battery"
    assert "ups-on-battery" in [one.code for one in report.findings]


def test_where_no_ups_is_set_nobody_is_asked(tmp_path: Path) -> None:
    ups, clock = ScriptedUps(), VirtualClock()
    made = rehearse(Paths(tmp_path), Scenario(), clock, MemoryDisk())
    core, database = open_core(Paths(tmp_path), replace(made.ports, ups=ups), Settings())
    core.upkeep.rounds.go(core.upkeep.parts())
    assert core.turn(close=True).node.usage.supply == ""
    assert ups.asked == 0
    assert database is not None
    database.close()
