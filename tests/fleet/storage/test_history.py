"""History is filled in afterwards, at the time at which things happened, whatever the device's clock said."""

from dataclasses import replace

import pytest

from archipel_contract.facts import ClockQuality
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import Metrics
from archipel_contract.status import Health
from archipel_fleet.records import EVERYTHING
from archipel_fleet.storage import SqlStore
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import DAY, HOUR, MINUTE, NOW, Speaker, site_id


def test_what_happened_during_an_outage_is_filled_in_where_it_belongs(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    back = replace(pi, now=NOW + HOUR)
    late = [
        back.health(Health.HEALTHY, Health.UNHEALTHY, at=NOW + 10 * MINUTE),
        back.health(Health.UNHEALTHY, Health.HEALTHY, at=NOW + 30 * MINUTE),
    ]
    store.take(late)
    spans = store.health_spans(EVERYTHING, pi.site, NOW, NOW + HOUR)
    assert [(one.state, (one.since - NOW) // MINUTE) for one in spans] == [
        ("healthy", 0), ("unhealthy", 10), ("healthy", 30),
    ]  # fmt: skip
    assert spans[-1].until is None
    row = store.nodes(EVERYTHING, NOW + HOUR).rows[0]
    assert (row.health.health, row.health.since) == (Health.HEALTHY, NOW + 30 * MINUTE)


def test_late_events_in_any_order_make_the_same_history(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    back = replace(pi, now=NOW + HOUR)
    events = [
        back.health(Health.HEALTHY, Health.UNHEALTHY, at=NOW + 10 * MINUTE),
        back.health(Health.UNHEALTHY, Health.WORKING, at=NOW + 20 * MINUTE),
        back.health(Health.WORKING, Health.HEALTHY, at=NOW + 30 * MINUTE),
    ]
    for event in (events[2], events[0], events[1]):
        store.take([event])
    spans = store.health_spans(EVERYTHING, pi.site, NOW, NOW + HOUR)
    assert [one.state for one in spans] == ["healthy", "unhealthy", "working", "healthy"]
    assert store.nodes(EVERYTHING, NOW + HOUR).rows[0].health.since == NOW + 30 * MINUTE


def test_the_health_of_a_site_over_time_is_that_of_its_sickest_node(store: SqlStore) -> None:
    first, second = Speaker(1), Speaker(2, name="pi-2")
    store.take([*first.birth(), *second.birth()])
    later = replace(second, now=NOW + 10 * MINUTE)
    store.take([later.changed(health=Health.UNHEALTHY)])
    spans = store.health_spans(EVERYTHING, site_id(1), NOW + MINUTE, NOW + HOUR)
    assert [(one.state, (one.since - NOW) // MINUTE) for one in spans] == [("healthy", 1), ("unhealthy", 10)]


@pytest.mark.parametrize("error", [-50 * 365 * DAY, 30 * 365 * DAY])
def test_a_clock_off_by_decades_is_corrected_by_the_time_since_boot(store: SqlStore, error: int) -> None:
    pi = Speaker(clock=ClockQuality.WRONG, clock_error=error)
    store.take([pi.hello(), pi.event(text="then", at=NOW - 20 * MINUTE), pi.samples(NOW - 10 * MINUTE, 5.0)])
    (event,) = store.events(EVERYTHING, pi.site)
    assert (event.at, event.sure) == (NOW - 20 * MINUTE, True)
    series = store.metrics(EVERYTHING, pi.node_id, 0, NOW)
    assert series is not None
    assert series.at == (NOW - 10 * MINUTE,)


def test_what_cannot_be_reckoned_lies_between_what_is_known_and_is_marked_unsure(store: SqlStore) -> None:
    pi = Speaker(clock=ClockQuality.PLAUSIBLE)
    store.take([*pi.birth(), pi.event(text="sure", at=NOW)])
    old = replace(pi.restarted(), clock=ClockQuality.PLAUSIBLE, clock_error=-30 * DAY, now=NOW + 2 * HOUR)
    store.take([old.event(text="between", at=NOW + HOUR)])
    newest = store.events(EVERYTHING, pi.site)[0]
    assert (newest.text, newest.sure) == ("between", False)
    assert NOW <= newest.at <= NOW + 2 * HOUR


def test_the_timeline_is_newest_first_and_goes_on_from_any_place(store: SqlStore) -> None:
    pi = Speaker()
    other = Speaker(2, name="pi-2")
    store.take([*pi.birth(), *other.birth()])
    store.take([pi.event(text=str(number), at=NOW - number * MINUTE) for number in range(5)])
    store.take([other.event(text="other", at=NOW - 2 * HOUR, subject="x", params={"a": "b"})])
    shown = store.events(EVERYTHING, pi.site, limit=3)
    assert [one.text for one in shown] == ["0", "1", "2"]
    rest = store.events(EVERYTHING, pi.site, before=shown[-1].at)
    assert [one.text for one in rest] == ["3", "4", "other"]
    assert (rest[-1].params, rest[-1].subject, rest[-1].node_name) == ({"a": "b"}, "x", "pi-2")
    assert [one.text for one in store.events(EVERYTHING, pi.site, node_id=other.node_id)] == ["other"]


def test_samples_of_a_day_offline_come_as_one_and_are_found_by_the_hour(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    points = [float(number) for number in range(288)]
    store.take([pi.samples(NOW - DAY, *points)])
    whole = store.metrics(EVERYTHING, pi.node_id, NOW - DAY, NOW)
    part = store.metrics(EVERYTHING, pi.node_id, NOW - HOUR, NOW - 30 * MINUTE)
    assert whole is not None
    assert part is not None
    assert whole.values["cpu_percent"] == tuple(points)
    assert part.at == tuple(NOW - HOUR + number * 5 * MINUTE for number in range(7))


def test_samples_that_are_no_numbers_or_from_another_age_are_left_out(store: SqlStore) -> None:
    pi = Speaker()
    nan, future = float("nan"), 40.0 * 365 * 86400
    body = Metrics(
        start=NOW,
        points=(
            (0.0, nan, 1.0),
            (nan, 1.0),
            (future, 2.0),
            (-future, 2.0),
            (1e307, 2.0),
            (),
            (1.0, 3.0, 4.0),
        ),
    )
    store.take([*pi.birth(), pi.next(body, Lane.METRIC)])
    series = store.metrics(EVERYTHING, pi.node_id, 0, NOW + DAY)
    assert series is not None
    assert series.at == (NOW, NOW + 1000)
    assert series.values["cpu_percent"] == (None, 3.0)
    assert series.values["load_1m"] == (1.0, 4.0)
    assert series.values["temperature_c"] == (None, None)


def test_exact_bytes_of_an_event_are_kept(store: SqlStore) -> None:
    pi = Speaker()
    event = pi.event(text="a")
    strange = event.payload.replace(b'"b":', b'"of-tomorrow":[1,2], "b" : ')
    store.take([*pi.birth(), replace(event, payload=strange)])
    assert store.events(EVERYTHING, pi.site)[0].text == "a"


# --- retention -------------------------------------------------------------------------------------------------------


def test_history_goes_when_it_is_older_than_kept_but_the_last_word_on_a_state_stays(
    store: SqlStore, ground: Ground
) -> None:
    old = Speaker(now=NOW - 401 * DAY)
    store.take([*old.birth(), old.event(text="old"), old.samples(NOW - 401 * DAY, 1.0)])
    pi = replace(old, now=NOW)
    store.take([pi.hello(), pi.event(text="new"), pi.samples(NOW - MINUTE, 2.0)])
    assert store.retain(NOW) == 0  # the first run has nothing to compare its clock with
    ground.clock.pass_by(3600)
    assert store.retain(NOW + HOUR) > 0
    assert [one.text for one in store.events(EVERYTHING, pi.site)] == ["new"]
    series = store.metrics(EVERYTHING, pi.node_id, 0, NOW)
    assert series is not None
    assert series.values["cpu_percent"] == (2.0,)
    assert store.health_spans(EVERYTHING, pi.site, NOW - MINUTE, NOW)[0].state == "healthy"
    assert store.take([old.event(text="old")]).duplicates == 0


def test_a_clock_that_jumps_deletes_nothing(store: SqlStore, ground: Ground) -> None:
    pi = Speaker()
    store.take([*pi.birth(), pi.event(text="a")])
    store.retain(NOW)
    ground.clock.pass_by(3600)
    assert store.retain(NOW + 3650 * DAY) == 0
    ground.clock.pass_by(3600)
    store.retain(NOW + 3650 * DAY + HOUR)
    assert len(store.events(EVERYTHING, pi.site)) == 1


def test_a_clock_that_is_wrong_from_the_start_can_delete_only_slowly(ground: Ground) -> None:
    store = ground.open()
    pi = Speaker()
    store.take([*pi.birth(), pi.event(text="a")])
    store.retain(NOW)
    ground.clock.pass_by(60)
    store.retain(NOW + MINUTE)
    store.close()
    later = ground.open()  # after a start with a clock ten years ahead
    for hour in range(3):
        later.retain(NOW + 3650 * DAY + hour * HOUR)
        ground.clock.pass_by(3600)
    assert len(later.events(EVERYTHING, pi.site)) == 1
