"""Things happen at their time, are healed when theirs is over, and chance tells the same story for the same seed."""

from archipel_agent.rehearsal.fleet.acts import Act
from archipel_agent.rehearsal.fleet.director import Director
from archipel_agent.rehearsal.fleet.scenario import Chance, Event, FleetScenario

DAY = 86400.0


def told(director: Director, until: float) -> list[tuple[float, Act]]:
    """Everything that happens by `until`, with its time."""
    story = []
    while director.next_at is not None and director.next_at <= until:
        at = director.next_at
        story += [(at, act) for act in director.due(at)]
    return story


def test_an_event_happens_at_its_time_and_is_healed_when_it_is_over() -> None:
    event = Event(at=30, what="cut", where=("rehearsed-001",), seconds=12.5)
    director = Director(FleetScenario(events=(event,)), 3, 1)
    assert director.next_at == 30
    assert director.due(29.9) == []
    assert [act.heal for act in director.due(30)] == [False]
    assert director.next_at == 42.5
    assert [act.words() for act in director.due(100)] == ["healed: cut at rehearsed-001"]
    assert director.next_at is None


def test_an_event_without_an_end_stays() -> None:
    director = Director(FleetScenario(events=(Event(at=0, what="disk-full", where=("all",)),)), 3, 1)
    assert len(told(director, 100 * DAY)) == 1


def test_what_is_late_comes_in_order() -> None:
    events = tuple(Event(at=at, what="cut", where=(f"rehearsed-00{at}",)) for at in (3, 1, 2))
    director = Director(FleetScenario(events=events), 3, 1)
    assert [act.where[0] for act in director.due(10)] == [f"rehearsed-00{at}" for at in (1, 2, 3)]


def test_chance_comes_as_often_as_it_was_asked_to_and_alternates_with_healing() -> None:
    director = Director(FleetScenario(chances=(Chance(what="cut", per_day=4, seconds=600),)), 20, 7)
    story = told(director, 10 * DAY)
    made = [act for _, act in story if not act.heal]
    assert 600 < len(made) < 1000  # 20 sites, 4 a day, 10 days: 800 or so
    for site in {act.where for act in made}:
        heals = [act.heal for _, act in story if act.where == site]
        assert all(heal == bool(number % 2) for number, heal in enumerate(heals))


def test_the_same_seed_tells_the_same_story_and_another_one_another() -> None:
    scenario = FleetScenario(chances=(Chance(what="power-cut", per_day=2, seconds=60),))
    assert told(Director(scenario, 5, 7), DAY) == told(Director(scenario, 5, 7), DAY)
    assert told(Director(scenario, 5, 7), DAY) != told(Director(scenario, 5, 8), DAY)


def test_a_site_has_the_same_troubles_in_a_larger_fleet() -> None:
    scenario = FleetScenario(chances=(Chance(what="cut", per_day=2, seconds=60),))
    small = told(Director(scenario, 2, 7), DAY)
    large = told(Director(scenario, 9, 7), DAY)
    assert [one for one in large if one[1].where[0] <= "rehearsed-002"] == small
