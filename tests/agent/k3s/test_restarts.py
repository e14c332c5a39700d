"""When k3s is restarted so that it renews its certificates: the window, each node's own minutes, and what is remembered."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_agent.k3s.restarts import (
    DAY_MINUTES,
    OWN_MINUTES,
    Memory,
    Window,
    WindowInvalid,
    is_time,
    is_wanted,
    next_time,
    own_minute,
    remembered,
    seen,
    tried,
    was_tried,
    window,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NIGHT = Window(2 * 60, 120)
windows = st.builds(Window, st.integers(0, DAY_MINUTES - 1), st.integers(1, DAY_MINUTES - 1))
names = st.text("0123456789abcdef", min_size=4, max_size=16).map("n-{}".format)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("", None), ("02:00-04:00", NIGHT), ("23:30-00:30", Window(23 * 60 + 30, 60))],
)
def test_a_window_is_written_as_two_times_and_may_go_over_midnight(text: str, meant: Window | None) -> None:
    assert window(text) == meant


@pytest.mark.parametrize("text", ["2-4", "02:00", "24:00-25:00", "02:00-02:00", "02:60-03:00", "night"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(WindowInvalid):
        window(text)


@given(windows, names)
def test_each_node_has_its_minutes_once_a_day_and_inside_the_window(span: Window, node: str) -> None:
    midnight = NOW.replace(hour=0)
    times = [
        minute
        for minute in range(DAY_MINUTES)
        if is_time(span, node, (), midnight + timedelta(minutes=minute))
    ]
    assert len(times) == min(OWN_MINUTES, span.length)
    assert all((minute - span.start) % DAY_MINUTES < span.length for minute in times)


@given(st.sets(names, min_size=2, max_size=12))
def test_two_nodes_of_a_site_never_begin_in_the_same_minute(nodes: set[str]) -> None:
    site = tuple(nodes)
    assert len({own_minute(NIGHT, one, site) for one in site}) == len(site)


@given(windows, names, st.integers(0, DAY_MINUTES - 1))
def test_the_next_time_is_within_a_day_and_is_one(span: Window, node: str, minute: int) -> None:
    local = NOW.replace(hour=0) + timedelta(minutes=minute)
    at = next_time(span, node, (), local)
    assert timedelta() < at - local <= DAY
    assert is_time(span, node, (), at)


@pytest.mark.parametrize(
    ("days", "wanted"), [(365, False), (121, False), (119, True), (1, True), (-400, True)]
)
def test_a_restart_is_wanted_once_k3s_would_renew(days: int, wanted: bool) -> None:
    assert is_wanted(Memory(), NOW + days * DAY, NOW) is wanted


@pytest.mark.parametrize(("days", "wanted"), [(29, False), (11, False), (9, True)])
def test_certificates_that_live_a_month_are_renewed_in_their_last_third_and_not_every_night(
    days: int, wanted: bool
) -> None:
    memory = seen(seen(Memory(), NOW, NOW - DAY), NOW + 30 * DAY, NOW)
    assert is_wanted(memory, NOW + 30 * DAY, NOW + (30 - days) * DAY) is wanted


def test_certificates_that_live_a_day_are_renewed_every_night() -> None:
    memory = seen(seen(Memory(), NOW, NOW - DAY), NOW + DAY, NOW)
    assert is_wanted(memory, NOW + DAY, NOW)


def test_what_did_not_help_once_is_not_done_again_but_for_new_certificates_it_is() -> None:
    until = NOW + 100 * DAY
    memory = remembered(tried(seen(Memory(), until, NOW), until, "run 1").text())
    assert not was_tried(memory, until, "run 1")  # cut off before k3s was stopped: it still runs
    assert was_tried(memory, until, "run 2")
    assert not was_tried(memory, until + 265 * DAY, "run 2")


def test_a_look_that_shows_nothing_new_changes_nothing_in_the_memory() -> None:
    memory = seen(Memory(), NOW + DAY, NOW)
    assert seen(memory, NOW + DAY, NOW + timedelta(hours=5)) is memory
