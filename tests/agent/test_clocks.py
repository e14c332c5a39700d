"""The ladder of witnesses for the time: what each is worth, how they hold against one another, and what a jump does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archipel_agent import clocks
from archipel_agent.paths import Paths
from archipel_agent.state.store import Store
from archipel_contract.facts import ClockQuality, ClockSource
from tests.fakes.clock import START, VirtualClock
from tests.fakes.database import TreacherousDatabase
from tests.fakes.disk import TreacherousDisk
from tests.fakes.power import Power

DAY = timedelta(days=1)
YEAR = timedelta(days=365)
DATABASE = Paths().database


def kept() -> Store:
    """A new node's state, in memory."""
    return Store(TreacherousDatabase(TreacherousDisk(Power(), ()), DATABASE))


def milliseconds(moment: datetime) -> int:
    """The moment as a message carries it."""
    return round(moment.timestamp() * 1000)


def look(
    store: Store | None, clock: VirtualClock, synchronized: bool | None = False, has_rtc: bool | None = False
) -> clocks.TrustedTime:
    """The time as the node knows it."""
    return clocks.trusted(store, clock, synchronized, has_rtc)


def test_a_board_that_starts_in_1970_knows_that_it_is_no_earlier_than_its_release() -> None:
    seen = look(kept(), VirtualClock(datetime(1970, 1, 1, tzinfo=UTC)))
    assert seen.quality is ClockQuality.WRONG
    assert seen.now == seen.floor == clocks.released()
    assert not seen.checks_dates


def test_a_time_server_stands_behind_the_time_and_dates_are_checked() -> None:
    seen = look(kept(), VirtualClock(), synchronized=True)
    assert (seen.quality, seen.source, seen.checks_dates) == (
        ClockQuality.SYNCHRONIZED,
        ClockSource.TIME_SERVER,
        True,
    )


def test_without_any_witness_a_possible_time_is_no_reason_to_check_dates() -> None:
    seen = look(kept(), VirtualClock())
    assert (seen.quality, seen.source, seen.checks_dates) == (ClockQuality.PLAUSIBLE, ClockSource.NONE, False)


@pytest.mark.parametrize("synchronized", [False, None])
def test_a_battery_backed_clock_that_shows_nothing_impossible_is_enough_for_dates(
    synchronized: bool | None,
) -> None:
    seen = look(kept(), VirtualClock(), synchronized, has_rtc=True)
    assert (seen.source, seen.checks_dates) == (ClockSource.RTC, True)


def test_a_battery_backed_clock_whose_battery_is_flat_is_found_out() -> None:
    seen = look(kept(), VirtualClock(datetime(2000, 1, 1, tzinfo=UTC)), has_rtc=True)
    assert (seen.quality, seen.checks_dates) == (ClockQuality.WRONG, False)


def test_the_fleets_word_gives_the_right_time_to_a_board_that_started_in_1970() -> None:
    store, clock = kept(), VirtualClock(datetime(1970, 1, 1, tzinfo=UTC))
    assert clocks.believe(store, milliseconds(START), clock)
    clock.advance(90.0)
    seen = look(store, clock)
    assert seen.now == START + timedelta(seconds=90)
    assert seen.source is ClockSource.FLEET
    assert seen.quality is ClockQuality.WRONG
    assert seen.floor == START
    assert seen.offset_ms == round((clock.now() - seen.now).total_seconds() * 1000)
    assert not seen.checks_dates


def test_once_the_clock_agrees_with_the_fleet_dates_are_checked() -> None:
    store, clock = kept(), VirtualClock(datetime(1970, 1, 1, tzinfo=UTC))
    clocks.believe(store, milliseconds(START), clock)
    clock.jump(START + timedelta(seconds=20))
    seen = look(store, clock)
    assert (seen.quality, seen.checks_dates, seen.offset_ms) == (ClockQuality.PLAUSIBLE, True, 20_000)


def test_the_fleets_word_without_our_clock_still_raises_the_floor() -> None:
    store = kept()
    clocks.believe(store, milliseconds(START + YEAR))
    seen = look(store, VirtualClock())
    assert seen.floor == START + YEAR
    assert seen.quality is ClockQuality.WRONG
    assert seen.offset_ms is None


@pytest.mark.parametrize("years", [-10, -1, 11, 200])
def test_a_fleet_whose_own_clock_has_jumped_is_not_believed(years: int) -> None:
    store, clock = kept(), VirtualClock()
    assert not clocks.believe(store, milliseconds(START + years * YEAR), clock)
    assert look(store, clock) == look(kept(), clock)


@pytest.mark.parametrize("at_ms", [2**63, -(2**63), 10**30])
def test_a_time_that_no_clock_can_show_is_not_believed(at_ms: int) -> None:
    assert not clocks.believe(kept(), at_ms, VirtualClock())


def test_a_fleet_that_has_set_its_clock_right_again_takes_its_wrong_word_back() -> None:
    store, clock = kept(), VirtualClock()
    clocks.believe(store, milliseconds(START + 5 * YEAR), clock)
    assert look(store, clock, synchronized=True).quality is ClockQuality.WRONG
    clocks.believe(store, milliseconds(START), clock)
    seen = look(store, clock, synchronized=True)
    assert seen.quality is ClockQuality.SYNCHRONIZED
    assert seen.floor == START


def test_files_written_by_a_clock_that_ran_ahead_are_not_believed_once_a_person_has_said_the_time() -> None:
    store, clock = kept(), VirtualClock()
    clocks.begin(store, START + 3 * YEAR)
    assert look(store, clock).quality is ClockQuality.WRONG
    assert clocks.told(store, START, clock)
    assert look(store, clock).quality is ClockQuality.PLAUSIBLE
    clocks.begin(store, START + 3 * YEAR)  # the next start finds the same files
    assert look(store, clock).quality is ClockQuality.PLAUSIBLE


def test_the_newest_of_our_files_bounds_the_time_of_a_board_without_any_clock() -> None:
    store = kept()
    clocks.begin(store, START + YEAR)
    seen = look(store, VirtualClock(datetime(1970, 1, 1, tzinfo=UTC)))
    assert seen.now == seen.floor == START + YEAR


def test_a_file_from_beyond_what_this_version_can_live_to_see_bounds_nothing() -> None:
    store = kept()
    clocks.begin(store, START + 12 * YEAR)
    assert look(store, VirtualClock()).floor == clocks.released()


def test_dates_of_files_do_not_stand_against_a_time_server() -> None:
    store = kept()
    clocks.begin(store, START + YEAR)
    assert look(store, VirtualClock(), synchronized=True).quality is ClockQuality.SYNCHRONIZED
    assert look(store, VirtualClock(), synchronized=False).quality is ClockQuality.WRONG


def test_what_was_heard_is_forgotten_at_the_next_start_but_not_the_floor() -> None:
    store, clock = kept(), VirtualClock()
    clocks.believe(store, milliseconds(START + DAY), clock)
    clocks.begin(store, None)
    seen = look(store, clock)
    assert (seen.offset_ms, seen.source) == (None, ClockSource.NONE)
    assert seen.floor == START + DAY


def test_a_person_who_says_the_time_makes_it_plausible_and_dates_are_checked() -> None:
    store, clock = kept(), VirtualClock()
    assert clocks.told(store, START, clock)
    seen = look(store, clock)
    assert (seen.quality, seen.source, seen.checks_dates, seen.offset_ms) == (
        ClockQuality.PLAUSIBLE,
        ClockSource.TECHNICIAN,
        True,
        None,
    )


@pytest.mark.parametrize("years", [-10, 12])
def test_a_person_who_mistypes_the_year_is_not_believed(years: int) -> None:
    assert not clocks.told(kept(), START + years * YEAR, VirtualClock())


def test_another_node_that_a_time_server_keeps_right_is_believed() -> None:
    store, clock = kept(), VirtualClock(datetime(1970, 1, 1, tzinfo=UTC))
    assert clocks.hear_peer(store, "n-2", START, ClockQuality.SYNCHRONIZED, clock)
    seen = look(store, clock)
    assert (seen.now, seen.source) == (START, ClockSource.PEER)


@pytest.mark.parametrize("quality", [one for one in ClockQuality if one is not ClockQuality.SYNCHRONIZED])
def test_another_node_that_only_guesses_is_not_believed(quality: ClockQuality) -> None:
    assert not clocks.hear_peer(kept(), "n-2", START, quality, VirtualClock())


def test_another_node_is_believed_neither_against_the_floor_nor_against_the_fleet() -> None:
    store, clock = kept(), VirtualClock()
    clocks.believe(store, milliseconds(START + DAY), clock)
    assert not clocks.hear_peer(store, "n-2", START - DAY, ClockQuality.SYNCHRONIZED, clock)
    assert not clocks.hear_peer(store, "n-2", START + 2 * DAY, ClockQuality.SYNCHRONIZED, clock)
    assert look(store, clock).source is ClockSource.FLEET


def test_the_floor_is_raised_by_a_good_clock_only_and_once_an_hour() -> None:
    store, clock = kept(), VirtualClock()
    clock.advance(12 * 3600.0)
    clocks.raise_floor(store, look(store, clock, synchronized=False, has_rtc=True))
    assert look(store, clock).floor == clocks.released()
    clocks.raise_floor(store, look(store, clock, synchronized=True))
    raised = look(store, clock).floor
    assert raised == clock.now()
    clock.advance(3000.0)
    clocks.raise_floor(store, look(store, clock, synchronized=True))
    assert look(store, clock).floor == raised


def test_a_time_server_that_is_years_off_does_not_raise_the_floor_against_the_fleet() -> None:
    store, clock = kept(), VirtualClock()
    clocks.believe(store, milliseconds(START), clock)
    clock.jump(START + 5 * YEAR)
    seen = look(store, clock, synchronized=True)
    assert seen.offset_ms == 5 * 365 * 86_400_000
    clocks.raise_floor(store, seen)
    assert look(store, clock).floor == START


Act = Callable[[Store, VirtualClock], object]
ACTS: tuple[Act, ...] = (
    lambda store, clock: clocks.raise_floor(store, look(store, clock, synchronized=True)),
    lambda store, clock: clocks.raise_floor(store, look(store, clock, synchronized=False)),
    lambda store, clock: clocks.begin(store, clock.now()),
    lambda store, clock: clock.jump(clock.now() + 10 * YEAR) if clock.now().year < 2100 else None,
    lambda store, clock: clock.jump(clock.now() - 10 * YEAR) if clock.now().year > 1980 else None,
    lambda store, clock: clock.advance(3600.0),
)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(ACTS), max_size=14))
def test_whatever_jumps_by_ten_years_the_fleets_next_word_puts_everything_right(acts: list[Act]) -> None:
    store, clock = kept(), VirtualClock()
    for act in acts:
        act(store, clock)
        seen = look(store, clock)
        assert clocks.released() <= seen.floor <= clocks.released() + clocks.FAR_AHEAD
        assert seen.now >= seen.floor
    clocks.believe(store, milliseconds(START + DAY), clock)
    assert abs(look(store, clock).now - (START + DAY)) <= clocks.SKEW
    clock.jump(START + DAY)
    assert look(store, clock, synchronized=True).quality is ClockQuality.SYNCHRONIZED
    assert look(store, clock, synchronized=False).checks_dates


def test_our_newest_file_is_found_on_a_real_disk(tmp_path: Path) -> None:
    from archipel_agent.host.disk import SystemDisk

    paths = Paths(tmp_path)
    assert clocks.newest_of_ours(SystemDisk(), paths) is None
    SystemDisk().write(paths.database, b"x")
    found = clocks.newest_of_ours(SystemDisk(), paths)
    assert found is not None
    assert abs(found.timestamp() - paths.database.stat().st_mtime) < 1
