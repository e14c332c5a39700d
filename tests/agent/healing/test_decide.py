"""What the agent repairs by itself is bounded, whatever happens in whatever order."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archipel_agent.healing.decide import (
    FIRST_PAUSE_SECONDS,
    GOOD_SECONDS,
    LONGEST_PAUSE_SECONDS,
    History,
    Repair,
    Seen,
    decide,
    pause,
    rebooted,
)
from archipel_agent.healing.healer import NOBODYS
from archipel_agent.steps.repair_disk import KINDS

RESTART = Repair(code="api-unreachable", patience=300.0, verb="restart", options={})
EMPTY = Repair(code="k3s-files-empty", patience=30.0, verb="fix", options={"code": "k3s-files-empty"})
GOOD = Seen(repairs=(), is_good=True, may_act=True)


def wrong(*since: tuple[float, Repair], may_act: bool = True) -> Seen:
    """Something is wrong since then."""
    return Seen(repairs=since, is_good=False, may_act=may_act)


def test_a_trouble_is_given_its_time_to_pass_by_itself() -> None:
    assert decide(wrong((0.0, RESTART)), History(), 3, 299.0).begin is None
    assert decide(wrong((0.0, RESTART)), History(), 3, 300.0).begin == RESTART


def test_the_cause_is_tried_before_what_follows_from_it() -> None:
    assert decide(wrong((0.0, EMPTY), (0.0, RESTART)), History(), 3, 400.0).begin == EMPTY


def test_nothing_is_begun_against_the_wish_of_a_person() -> None:
    assert decide(wrong((0.0, RESTART), may_act=False), History(), 3, 9999.0).begin is None


def test_pauses_grow_up_to_half_an_hour() -> None:
    assert [pause(tried) for tried in range(4)] == [
        0.0,
        FIRST_PAUSE_SECONDS,
        2 * FIRST_PAUSE_SECONDS,
        4 * FIRST_PAUSE_SECONDS,
    ]
    assert pause(20) == LONGEST_PAUSE_SECONDS


def test_after_the_last_it_stops_and_names_the_finding_and_stays_stopped() -> None:
    history = History(tried=(0.0, 200.0, 500.0))
    stopped = decide(wrong((0.0, RESTART)), history, 3, 5000.0)
    assert (stopped.begin, stopped.history.stopped) == (None, "api-unreachable")
    assert decide(wrong((0.0, RESTART)), stopped.history, 3, 99999.0).begin is None


def test_it_does_not_stop_before_the_last_repair_had_its_pause() -> None:
    assert decide(wrong((0.0, RESTART)), History(tried=(0.0, 100.0)), 2, 200.0).history.stopped == ""


def test_a_good_hour_lets_it_begin_again_and_anything_less_does_not() -> None:
    history = decide(GOOD, History(tried=(0.0,) * 3, stopped="api-unreachable"), 3, 1000.0).history
    almost = decide(GOOD, history, 3, 1000.0 + GOOD_SECONDS - 1).history
    assert almost.stopped == "api-unreachable"
    assert decide(GOOD, almost, 3, 1000.0 + GOOD_SECONDS).history.tried == ()
    interrupted = decide(wrong(), almost, 3, 1000.0 + GOOD_SECONDS - 1).history
    assert decide(GOOD, interrupted, 3, 1000.0 + GOOD_SECONDS).history.stopped == "api-unreachable"


def test_what_was_tried_before_a_reboot_still_counts() -> None:
    history = rebooted(History(tried=(7000.0, 8000.0, 9000.0), good_since=9500.0))
    assert decide(wrong((0.0, EMPTY)), history, 3, 40.0 + LONGEST_PAUSE_SECONDS).begin is None


@dataclass
class Box:
    """A machine on which anything happens; remembers every repair by uptime over all boots."""

    limit: int
    now: float = 0.0  # of this boot
    total: float = 0.0  # of all boots: time during which the machine ran
    history: History = field(default_factory=History)
    broken_since: float | None = None
    may_act: bool = True
    begun: list[float] = field(default_factory=list)

    def passes(self, seconds: int) -> None:
        for _ in range(max(1, seconds // 30)):
            self.now += 30
            self.total += 30
            self.turn()

    def turn(self) -> None:
        broken = self.broken_since is not None
        repairs = ((self.broken_since or 0.0, EMPTY),) if broken else ()
        seen = Seen(repairs=repairs, is_good=not broken, may_act=self.may_act)
        decision = decide(seen, self.history, self.limit, self.now)
        self.history = decision.history
        if decision.begin is not None:
            assert self.may_act, "a repair was begun against the technician's wish"
            self.begun.append(self.total)

    def breaks(self, _: int) -> None:
        self.broken_since = self.now if self.broken_since is None else self.broken_since

    def recovers(self, _: int) -> None:
        self.broken_since = None

    def reboots(self, _: int) -> None:
        self.history = rebooted(self.history)
        self.now = 0.0
        self.broken_since = None if self.broken_since is None else 0.0

    def agent_restarts(self, _: int) -> None:
        self.history = replace(self.history, good_since=None)

    def is_held(self, _: int) -> None:
        self.may_act = False

    def is_released(self, _: int) -> None:
        self.may_act = True


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "passes",
                "passes",
                "breaks",
                "breaks",
                "recovers",
                "reboots",
                "agent_restarts",
                "is_held",
                "is_released",
            ]
        ),
        st.integers(min_value=30, max_value=9000),
    ),
    max_size=40,
)


def most_in_an_hour(begun: list[float]) -> int:
    return max((sum(start <= one < start + 3600.0 for one in begun) for start in begun), default=0)


def live_through(events: list[tuple[str, int]], limit: int) -> Box:
    box = Box(limit)
    for name, amount in events:
        getattr(box, name)(amount)
        assert most_in_an_hour(box.begun) <= limit
    return box


@given(events=EVENTS, limit=st.integers(min_value=1, max_value=4))
@settings(max_examples=60, deadline=None)
def test_never_more_than_so_many_in_any_hour_and_never_against_a_wish(
    events: list[tuple[str, int]], limit: int
) -> None:
    live_through(events, limit)


@pytest.mark.prove
@pytest.mark.timeout(300)
@given(events=EVENTS, limit=st.integers(min_value=1, max_value=20))
@settings(max_examples=5000, deadline=None)
def test_the_same_over_many_more_histories(events: list[tuple[str, int]], limit: int) -> None:
    live_through(events, limit)


def test_a_box_that_stays_broken_is_tried_three_times_in_all() -> None:
    box = live_through([("breaks", 30), *[("passes", 9000)] * 20], 3)
    assert len(box.begun) == 3
    assert box.history.stopped == EMPTY.code


def test_what_it_frees_by_itself_are_kinds_that_the_repair_knows() -> None:
    assert set(NOBODYS) < {one.slug for one in KINDS}
