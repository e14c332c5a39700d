"""The sweeper notes when somebody listened, looks who became overdue, and survives a database that is away."""

from archipel_fleet.link.sweeper import Sweeper
from tests.fakes.fleet_intake import NOW, SITE
from tests.fleet.link.conftest import World


def test_listening_is_noted_from_when_the_connection_stood_and_only_while_it_stands(world: World) -> None:
    stands: list[float | None] = [None, 7.0, None]
    sweeper = Sweeper(world.around, lambda: stands.pop(0))
    for _ in range(3):
        sweeper.turn()
    assert world.store.heard == [(NOW - 7000, NOW)]
    assert world.store.sweeps == 3
    assert world.changed == [frozenset({SITE})] * 3


def test_a_wall_clock_set_back_does_not_change_for_how_long_somebody_listened(world: World) -> None:
    world.time.milliseconds -= 3_600_000
    Sweeper(world.around, lambda: 20.0).turn()
    assert world.store.heard == [(NOW - 3_600_000 - 20_000, NOW - 3_600_000)]


def test_history_is_cleaned_at_the_start_and_every_hour(world: World) -> None:
    world.time.after(2 * 3600.0, world.time.end)
    Sweeper(world.around, lambda: None).run()
    assert world.store.retained == 2
    assert 1430 <= world.store.sweeps <= 1440


def test_a_database_that_is_away_for_a_while_does_not_end_the_sweeping(world: World) -> None:
    world.store.failing = "fleet-database-away"
    world.time.after(27.5, lambda: setattr(world.store, "failing", ""))
    world.time.after(60.0, world.time.end)
    Sweeper(world.around, lambda: 1.0).run()
    assert world.count("archipel_fleet_store_failures_total", code="fleet-database-away") == 5
    assert world.store.sweeps == 6
