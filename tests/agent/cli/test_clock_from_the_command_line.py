"""`archipel clock`: what the clock is worth and why, in words; setting it by hand, and when that is refused."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from archipel_agent.service import Refused
from archipel_contract.exits import Exit
from archipel_contract.facts import ClockQuality, ClockSource
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import ScriptedService


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's local time is that of Berlin, an hour ahead of UTC in November."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def with_clock(
    service: ScriptedService, quality: ClockQuality, source: ClockSource, offset_ms: int | None = None
) -> None:
    """Have the agent report this clock."""
    node = replace(
        service.current.node,
        clock=quality,
        clock_source=source,
        clock_offset_ms=offset_ms,
        clock_floor="2026-11-22T00:00:00Z",
    )
    service.current = replace(service.current, node=node)


def test_a_clock_that_is_kept_right_is_said_to_be(agent: Archipel, service: ScriptedService) -> None:
    with_clock(service, ClockQuality.SYNCHRONIZED, ClockSource.TIME_SERVER, 20)
    said = agent("clock", "show")
    assert said.code == Exit.OK
    assert "synchronized, a time server keeps it right, agrees with the fleet" in said.out
    assert "certainly later than 2026-11-22T00:00:00Z" in said.out


@pytest.mark.parametrize(
    ("offset", "words"), [(-7_200_000, "behind the fleet"), (90_000, "ahead of the fleet")]
)
def test_how_far_it_is_off_is_said_with_its_direction(
    agent: Archipel, service: ScriptedService, offset: int, words: str
) -> None:
    with_clock(service, ClockQuality.PLAUSIBLE, ClockSource.FLEET, offset)
    assert words in agent("clock", "show").out
    assert words in agent("status").out


def test_a_wrong_clock_is_not_good_for_scripts(agent: Archipel, service: ScriptedService) -> None:
    with_clock(service, ClockQuality.WRONG, ClockSource.NONE)
    assert agent("clock", "show").code == Exit.NOT_OK
    assert agent("clock", "show", "--json").data["clock"] == "wrong"


@pytest.mark.parametrize("source", ClockSource)
def test_whoever_stands_behind_the_time_is_named(
    agent: Archipel, service: ScriptedService, source: ClockSource
) -> None:
    with_clock(service, ClockQuality.PLAUSIBLE, source)
    assert agent("clock", "show").code == Exit.OK
    assert agent("clock", "show", "--json").data["clock_source"] == source.value


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-11-22 14:05", "2026-11-22T13:05:00+00:00"),
        ("2026-11-22T13:05:00Z", "2026-11-22T13:05:00+00:00"),
        ("2026-11-22 14:05+01:00", "2026-11-22T13:05:00+00:00"),
    ],
)
def test_a_time_without_a_zone_is_this_machines_local_time(
    agent: Archipel, service: ScriptedService, typed: str, meant: str
) -> None:
    assert agent("clock", "set", typed).code == Exit.OK
    assert [at for at, _ in service.clock_wishes] == [meant]


@pytest.mark.parametrize("typed", ["14:05", "tomorrow", "2026-13-01 00:00", ""])
def test_what_is_no_time_is_refused_before_anything_is_asked(
    agent: Archipel, service: ScriptedService, typed: str
) -> None:
    said = agent("clock", "set", typed)
    assert said.code == Exit.USAGE
    assert "write it like" in said.err
    assert service.clock_wishes == []


def test_a_clock_that_a_time_server_keeps_is_not_set_and_it_is_said_why(
    agent: Archipel, service: ScriptedService
) -> None:
    service.refusal = Refused(409, "clock-kept", "a time server keeps it right", "archipel clock show")
    said = agent("clock", "set", "2026-11-22 14:05")
    assert said.code == Exit.REFUSED
    assert "a time server keeps it right" in said.err
    assert "archipel clock show" in said.err


def test_without_an_agent_the_clock_is_looked_at_and_not_set(archipel: Archipel) -> None:
    assert archipel("clock", "show", "--json").data["clock"] in set(ClockQuality)
    assert archipel("clock", "set", "2026-11-22 14:05").code == Exit.AGENT_AWAY
