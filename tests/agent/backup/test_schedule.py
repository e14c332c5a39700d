"""When backups are due, and which may go: by what grows, never by a clock that may lie."""

from datetime import timedelta
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.backup import record, thinning
from archipel_agent.backup.due import Schedule
from archipel_agent.host.clock import text
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract.facts import ClockQuality
from tests.fakes.clock import VirtualClock

DAY = 86400.0
PLANNED = Settings(backup_to="/media/usb", backup_every=DAY)
YEARS = timedelta(days=3650)


class Site:
    """A store and a clock, and somebody who makes backups."""

    def __init__(self, path: Path) -> None:
        self.clock = VirtualClock()
        self.store = Store(Database(path / "state.db"))
        self.schedule = self.boot()

    def boot(self, settings: Settings = PLANNED) -> Schedule:
        self.schedule = Schedule(settings, self.store, self.clock, "n-1")
        return self.schedule

    def make(self) -> None:
        number = record.sequence(self.store) + 1
        made = record.Made(
            sequence=number,
            name="x",
            target="y",
            at=text(self.clock.now()),
            clock=ClockQuality.PLAUSIBLE,
            size=1,
            sha256="",
            seconds=1.0,
        )
        record.keep(self.store, record.LAST, made)
        self.store.keep(**{record.SEQUENCE: str(number)})

    def days(self, count: float) -> int:
        """Let so many days pass, a look each minute, every backup succeeding at once; return how many were made."""
        made = 0
        for _ in range(int(count * 1440)):
            self.clock.advance(60.0)
            if self.schedule.is_due():
                self.schedule.begun()
                self.make()
                made += 1
        return made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_one_is_made_each_day(site: Site) -> None:
    assert site.days(10) == 10


def test_without_a_place_none_is_ever_due(site: Site) -> None:
    site.boot(Settings())
    assert site.days(3) == 0
    assert site.schedule.seconds_left is None and not site.schedule.seen().planned


def test_what_was_missed_while_the_box_was_off_is_made_up_once(site: Site) -> None:
    site.make()
    site.clock.advance(40 * DAY)
    site.boot()
    assert site.days(0.5) == 1


@pytest.mark.parametrize("jump", [YEARS, -YEARS, -timedelta(days=2)])
def test_a_clock_that_jumps_neither_skips_one_nor_makes_a_heap(site: Site, jump: timedelta) -> None:
    site.days(2)
    site.clock.jump(site.clock.now() + jump)
    assert site.days(5) in (4, 5)


@pytest.mark.parametrize("jump", [YEARS, -YEARS])
def test_nor_does_one_that_is_wrong_after_a_boot(site: Site, jump: timedelta) -> None:
    site.days(2)
    site.clock.jump(site.clock.now() + jump)
    site.boot()
    assert 4 <= site.days(5) <= 6


def test_a_try_that_failed_is_tried_again_within_the_hour(site: Site) -> None:
    tries = 0
    for _ in range(180):
        site.clock.advance(60.0)
        if site.schedule.is_due():
            site.schedule.begun()
            tries += 1
    assert tries in (2, 3)


def test_one_made_by_hand_counts(site: Site) -> None:
    site.days(1.5)
    site.clock.advance(DAY / 4)
    site.make()
    assert site.days(0.9) == 0


def test_it_is_overdue_after_twice_the_time_and_no_longer_once_one_arrived(site: Site) -> None:
    site.make()
    site.boot()
    site.clock.advance(2.5 * DAY)
    seen = site.schedule.seen()
    assert seen.overdue and not seen.drilled
    site.make()
    seen = site.schedule.seen()
    assert not seen.overdue


def test_sites_switched_on_together_do_not_all_send_at_once(tmp_path: Path) -> None:
    store, clock = Store(Database(tmp_path / "state.db")), VirtualClock()
    waits = {Schedule(PLANNED, store, clock, f"n-{number}").seconds_left or 0.0 for number in range(50)}
    assert len(waits) == 50 and max(waits) <= 600.0


def test_the_newest_stay_and_of_the_older_ones_each_seventh() -> None:
    assert thinning.doomed(range(1, 31), "3") == set(range(1, 28))
    assert set(range(1, 31)) - thinning.doomed(range(1, 31), "3+2") == {30, 29, 28, 21, 14}
    assert thinning.doomed([5], "7+8") == set()


@hypothesis.given(st.sets(st.integers(1, 500)), st.integers(1, 20), st.integers(0, 10))
def test_the_newest_never_go_and_what_stays_is_bounded(there: set[int], newest: int, older: int) -> None:
    gone = thinning.doomed(there, f"{newest}+{older}")
    stays = there - gone
    assert gone <= there and len(stays) <= newest + older
    assert set(sorted(there)[-newest:]) <= stays
    assert thinning.doomed(stays, f"{newest}+{older}") == set()


@hypothesis.given(st.integers(1, 100), st.integers(1, 6), st.integers(0, 5))
def test_thinning_after_each_backup_keeps_older_ones_too(last: int, newest: int, older: int) -> None:
    there: set[int] = set()
    for number in range(1, last + 1):
        there.add(number)
        there -= thinning.doomed(there, f"{newest}+{older}")
    sparse = [one for one in range(1, last - newest + 1) if one % thinning.EVERY == 0]
    assert set(sparse[len(sparse) - older :] if older else []) <= there


@pytest.mark.parametrize("keep", ["", "0", "x", "7+", "-1"])
def test_what_says_nothing_keeps_everything(keep: str) -> None:
    with pytest.raises(ValueError, match="form"):
        thinning.doomed([1, 2, 3], keep)
