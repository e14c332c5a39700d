"""Reckoned times lie between what is known; sequences are a set however they come; spans leave no holes."""

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from archipel_contract.facts import ClockQuality
from archipel_contract.status import Health
from archipel_fleet.domain import health, spans
from archipel_fleet.domain.reckoning import EARLIEST, TOLERANCE, Told, boot_began, reckoned
from archipel_fleet.domain.sequences import LIMIT, Ranges
from archipel_fleet.domain.summary import number, spaced, summarised, text
from archipel_fleet.records import LastHealth, Span

NOW = 1_795_330_800_000
ANY = st.integers(-(1 << 63) + 1, (1 << 63) - 1)


@pytest.mark.parametrize(
    ("told", "booted", "floor", "reckons"),
    [
        (Told(NOW - 5000, ClockQuality.SYNCHRONIZED, 0), None, None, (NOW - 5000, True)),
        (Told(NOW + TOLERANCE, ClockQuality.SYNCHRONIZED, 0), None, None, (NOW, True)),
        (Told(NOW + TOLERANCE + 1, ClockQuality.SYNCHRONIZED, 0), None, None, (NOW, False)),
        (Told(0, ClockQuality.SYNCHRONIZED, 0), None, NOW - 9, (NOW, False)),
        (Told(0, ClockQuality.WRONG, 7000), NOW - 10_000, None, (NOW - 3000, True)),
        (Told(NOW - 5000, ClockQuality.PLAUSIBLE, 7000), NOW - 10_000, None, (NOW - 3000, True)),
        (Told(NOW - 5000, ClockQuality.PLAUSIBLE, 0), None, None, (NOW - 5000, False)),
        (Told(NOW - 5000, ClockQuality.PLAUSIBLE, 0), None, NOW - 1000, (NOW - 1000, False)),
        (Told(NOW - 5000, ClockQuality.WRONG, 10**9), NOW - 10_000, None, (NOW - 5000, False)),
    ],
)
def test_a_time_is_trusted_reckoned_or_bounded(
    told: Told, booted: int | None, floor: int | None, reckons: tuple[int, bool]
) -> None:
    assert reckoned(told, NOW, booted, floor) == reckons


@hypothesis.given(
    at=ANY,
    clock=st.sampled_from(ClockQuality),
    up=st.integers(0, 1 << 62),
    booted=st.none() | ANY,
    floor=st.none() | ANY,
)
def test_nothing_happened_after_it_was_received(
    at: int, clock: ClockQuality, up: int, booted: int | None, floor: int | None
) -> None:
    found, sure = reckoned(Told(at, clock, up), NOW, booted, floor)
    assert found <= NOW
    if not sure and floor is not None and floor <= NOW:
        assert found >= floor
    if clock is ClockQuality.SYNCHRONIZED and EARLIEST <= at <= NOW:
        assert (found, sure) == (at, True)


def test_a_boot_is_known_only_from_a_machine_that_says_how_long_it_is_up() -> None:
    assert boot_began(NOW, 5000) == NOW - 5000
    assert boot_began(NOW, 0) is None


@hypothesis.given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 6), st.booleans()), max_size=40))
def test_ranges_are_a_set_of_numbers(steps: list[tuple[int, int, bool]]) -> None:
    ranges, plain = Ranges(), set[int]()
    for first, length, removes in steps:
        if removes:
            ranges.remove(first)
            plain.discard(first)
        else:
            ranges.add(first, first + length)
            plain |= set(range(first, first + length + 1))
    assert [one for one in range(1, 70) if one in ranges] == sorted(plain)
    assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(ranges.spans))
    assert str(Ranges.parse(str(ranges))) == str(ranges)
    missing = {one for first, last in ranges.missing(5, 50) for one in range(first, last + 1)}
    assert missing == set(range(5, 51)) - plain
    assert ranges.holes() == len(set(range(1, max(plain, default=0) + 1)) - plain)
    ack = ranges.ack(7, max(plain, default=0))
    said = set(range(1, ack.upto + 1)) | {one for first, last in ack.also for one in range(first, last + 1)}
    assert said == plain


def test_a_set_that_is_full_of_holes_takes_only_what_makes_none() -> None:
    ranges = Ranges()
    for place in range(LIMIT):
        assert ranges.fits(10 + 2 * place)
        ranges.add(10 + 2 * place, 10 + 2 * place)
    assert not ranges.fits(1)
    assert ranges.fits(11)
    assert ranges.fits(9)


STATES = st.sampled_from(["a", "b", "c"])
POINTS = st.lists(st.tuples(st.integers(0, 100), STATES), max_size=12)


def state_at(found: tuple[Span, ...], at: int) -> str:
    (one,) = [span.state for span in found if span.since <= at and (span.until is None or at < span.until)]
    return one


@hypothesis.given(points=POINTS, since=st.integers(0, 100))
def test_spans_leave_no_hole_and_say_what_the_last_point_said(
    points: list[tuple[int, str]], since: int
) -> None:
    found = spans.spans_of(points, since, 100, "?")
    assert found[0].since == since
    assert found[-1].until is None
    assert all(
        one.until == later.since and one.state != later.state for one, later in itertools.pairwise(found)
    )
    ordered = sorted(points, key=lambda point: point[0])
    for at in range(since, 101):
        assert state_at(found, at) == next((state for when, state in reversed(ordered) if when <= at), "?")


@hypothesis.given(points=POINTS, holes=st.lists(st.integers(0, 100), max_size=6, unique=True))
def test_what_nobody_heard_is_overlaid_and_the_rest_is_as_it_was(
    points: list[tuple[int, str]], holes: list[int]
) -> None:
    edges = sorted(holes)[: len(holes) // 2 * 2]
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    plain = spans.spans_of(points, 0, 101, "?")
    found = spans.overlaid(plain, pairs, "away", 101)
    for at in range(101):
        hidden = any(first <= at < last for first, last in pairs)
        assert state_at(found, at) == ("away" if hidden else state_at(plain, at))


@hypothesis.given(first=POINTS, second=POINTS)
def test_a_site_is_at_every_moment_what_its_nodes_were_then(
    first: list[tuple[int, str]], second: list[tuple[int, str]]
) -> None:
    parts = [spans.spans_of(points, 0, 100, "?") for points in (first, second)]
    found = spans.combined(parts, lambda states: max(states), 100)
    for at in range(101):
        assert state_at(found, at) == max(state_at(one, at) for one in parts)


def test_the_gravest_word_is_a_sites_health_with_the_age_of_that_word() -> None:
    sick = LastHealth(health=Health.UNHEALTHY, heard=NOW - 10**9, since=NOW - 2 * 10**9)
    fine = LastHealth(health=Health.HEALTHY, heard=NOW, since=NOW)
    silent = LastHealth(health=Health.UNKNOWN)
    assert health.of_site([fine, sick, silent]) == sick
    assert health.of_site([fine, silent]) == fine
    assert health.of_site([silent]) == silent
    assert health.gravest(["healthy", "of-tomorrow"]) == "unknown"
    assert health.gravest([]) == "unknown"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(
    [
        "node_name",
        "role",
        "health",
        "facts",
        "k3s",
        "findings",
        "pods",
        "nodes",
        "term",
        "cluster_reachable",
        "rehearsed",
    ]
)


@hypothesis.given(st.dictionaries(NAMES, JSON | st.dictionaries(st.text(max_size=4), JSON, max_size=3)))
def test_any_state_that_is_json_can_be_summed_up(state: dict[str, object]) -> None:
    found = summarised(state)
    for value in (found.name, found.worst, found.codes, found.k3s_version):
        assert "\0" not in value
        value.encode()
    assert -1 <= found.term < 1 << 63


def test_texts_and_numbers_are_made_such_that_every_database_takes_them() -> None:
    assert text("a\0b\ud800") == "a\ufffdb?"
    assert text(7) == ""
    assert len(text("x" * 1000)) == 300
    assert (number(1 << 70), number(-5), number("7"), number(True)) == ((1 << 63) - 1, 0, 0, 0)
    assert spaced(["b", "a b", "b", ""]) == " ab b "
