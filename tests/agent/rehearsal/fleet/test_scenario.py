"""A fleet's scenario file is read strictly: what is wrong is named with its line and column."""

from datetime import timedelta
from pathlib import Path

import pytest

from archipel_agent.rehearsal.fleet import acts
from archipel_agent.rehearsal.fleet.scenario import Chance, Event, Special, load, parse
from archipel_agent.rehearsal.fleet.stage import nodes_of
from archipel_agent.rehearsal.scenario import ScenarioInvalid

WHOLE = """
title = "Everything"
sites = 4
nodes = 3
seed = 9
pace = 0.5

[[site]]
site = 2
mode = "dial-in"
every = 60

[[site]]
site = "rehearsed-003"
silent = true
clock = "-3y"
faults = ["disk-full"]
k3s = "v1.35.6+k3s1"

[[event]]
at = 10
for = 2.5
what = "cut"
where = "rehearsed-001"

[[event]]
at = 0
what = "clock"
to = "drift +200ppm"
where = ["rehearsed-001-a", "rehearsed-004"]

[[chance]]
what = "power-cut"
per_day = 2
seconds = 30
"""


def test_everything_a_scenario_can_say_is_read() -> None:
    read = parse(WHOLE)
    assert (read.title, read.sites, read.nodes, read.seed, read.pace) == ("Everything", 4, 3, 9, 0.5)
    assert read.special == (
        Special(site="rehearsed-002", mode="dial-in", every=60),
        Special(site="rehearsed-003", silent=True, clock="-3y", faults=("disk-full",), k3s="v1.35.6+k3s1"),
    )
    assert read.events[0] == Event(at=10, what="cut", where=("rehearsed-001",), seconds=2.5)
    assert read.events[1].where == ("rehearsed-001-a", "rehearsed-004")
    assert read.chances == (Chance(what="power-cut", per_day=2, seconds=30),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sites = 3\n\n  foo = 1", "unknown key 'foo'.*line 3, column 3"),
        ("sites = true", "sites must be a number from 0 to 9999, not True.*line 1, column 1"),
        ("sites = 1.5", "sites must be"),
        ("pace = 0", "pace must be a number from 0.001"),
        ("title = 3", "title must be text.*line 1"),
        ("[event]\nat = 1", r"written as \[\[event\]\].*line 1"),
        ("[[sit]]\nsite = 1", "unknown key 'sit'.*line 1"),
        ("[[site]]\nsite = 1\n[[site]]\nsilent = true", "site must be the number.*line 3, column 1"),
        ("[[site]]\nsite = 1\nsilent = 1", "silent must be true or false.*line 3, column 1"),
        ("[[site]]\nsite = 1\nmode = 'sometimes'", "mode must be one of always-on, dial-in.*line 3"),
        ("[[site]]\nsite = 1\nclock = 'later'", "a clock goes.*line 3, column 1"),
        ("[[event]]\nat = 1\nwhat = 'cut'\nwhere = []", "say where"),
        ("[[event]]\nat = 1\nwhat = 'flood'\nwhere = 'all'", "no trouble 'flood'; there are cut.*line 3"),
        ("[[event]]\nat = 1\nwhat = 'cut'\nto = '+1d'\nwhere = 'all'", "cut takes no `to`"),
        ("[[event]]\nwhat = 'cut'\nwhere = 'all'", "at must be a number.*missing.*line 1"),
        ("[[event]]\nat = 1\nwhat = 'cut'\nwhere = 'all'\n\n[[event]]\nat = -1\nwhat = 'cut'\nwhere = 'all'",
         "at must be a number from 0.*line 7, column 1"),
        ("[[chance]]\nwhat = 'cut'\nper_day = 'often'", "per_day must be a number.*line 3"),
        ("sites = [", "line 1|end of document"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ScenarioInvalid, match=f"(?s){said}"):
        parse(text)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"title = '\xff'")
    with pytest.raises(ScenarioInvalid, match=r"x\.toml is not UTF-8"):
        load(path)


@pytest.mark.parametrize("path", sorted(Path("docs/scenarios").glob("*.toml")), ids=lambda path: path.name)
def test_every_scenario_that_comes_with_the_documentation_can_be_played(path: Path) -> None:
    read = load(path)
    named = [one.site for one in read.special] + [name for event in read.events for name in event.where]
    assert read.title
    assert all(nodes_of(name, read.sites or 10, read.nodes or 3) for name in named)


def test_there_are_scenarios_in_the_documentation() -> None:
    assert len(list(Path("docs/scenarios").glob("*.toml"))) >= 2


@pytest.mark.parametrize(
    ("text", "offset", "drift"),
    [
        ("+3y", timedelta(days=3 * 365.25), 0.0),
        ("-40d", timedelta(days=-40), 0.0),
        ("+90s", timedelta(seconds=90), 0.0),
        ("1970", None, 0.0),
        ("drift +200ppm", timedelta(), 0.0002),
        ("drift -50ppm", timedelta(), -0.00005),
    ],
)
def test_a_wrong_clock_is_said_in_one_word(text: str, offset: timedelta | None, drift: float) -> None:
    error = acts.clock_error(text)
    assert error.offset == offset
    assert error.drift == pytest.approx(drift)


@pytest.mark.parametrize("text", ["", "3y", "+3", "+200y", "drift 200", "yesterday"])
def test_a_clock_that_cannot_be_so_is_refused(text: str) -> None:
    with pytest.raises(acts.ActInvalid, match="clock"):
        acts.clock_error(text)
