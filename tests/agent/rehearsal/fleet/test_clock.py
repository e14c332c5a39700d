"""A machine's clock lets its past pass at once, and lies in the present when it is told to."""

from datetime import timedelta

from archipel_agent.rehearsal.fleet.clock import EARLIEST, LATEST, MachineClock
from tests.fakes.clock import VirtualClock


def test_waiting_costs_no_time_in_the_past_and_the_uptime_is_that_of_a_long_life() -> None:
    base = VirtualClock()
    clock = MachineClock(base, 86400.0)
    began = base.monotonic()
    clock.wait(300)
    assert (clock.monotonic(), base.monotonic()) == (300, began)
    clock.arrive()
    assert clock.monotonic() == 86400
    clock.wait(10)
    assert (clock.monotonic(), base.monotonic()) == (86410, began + 10)


def test_a_clock_that_is_off_shows_another_time_but_its_seconds_are_right() -> None:
    base = VirtualClock()
    clock = MachineClock(base, 100.0)
    clock.arrive()
    clock.go_wrong(timedelta(days=-900))
    base.advance(60)
    assert clock.now() == base.now() - timedelta(days=900)
    assert clock.monotonic() == 160
    assert not clock.is_right
    clock.go_right()
    assert clock.now() == base.now()
    assert clock.is_right


def test_a_clock_drifts_from_the_moment_it_was_told_to() -> None:
    base = VirtualClock()
    clock = MachineClock(base, 100.0)
    clock.arrive()
    base.advance(5000)
    clock.go_wrong(timedelta(), drift=0.001)
    assert clock.now() == base.now()
    base.advance(1000)
    assert clock.now() - base.now() == timedelta(seconds=1)


def test_no_clock_shows_a_time_that_cannot_be_written() -> None:
    clock = MachineClock(VirtualClock(), 0.0)
    clock.arrive()
    clock.go_wrong(timedelta(days=365 * 9000))
    assert clock.now() == LATEST
    clock.go_wrong(timedelta(days=-365 * 2500))
    assert clock.now() == EARLIEST
