"""Contact as the store tells it: by receive time, honest after the controller was away, written down as history."""

from dataclasses import replace

import pytest

from archipel_contract.link.messages import LinkPlan
from archipel_contract.site import Role
from archipel_contract.status import LinkMode
from archipel_fleet.domain.contact import CALL_GRACE, grace
from archipel_fleet.records import EVERYTHING, ContactState, SiteQuery, SiteSort
from archipel_fleet.storage import SqlStore
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import DAY, HOUR, MINUTE, NOW, Speaker, births, node_id, site_id

DIAL_IN = LinkPlan(mode=LinkMode.DIAL_IN, every=3600)


def state(store: SqlStore, now: int, site: str = site_id(1)) -> ContactState:
    detail = store.site(EVERYTHING, site, now)
    assert detail is not None
    (listed,) = [one for one in store.sites(EVERYTHING, SiteQuery(), now).rows if one.site_id == site]
    assert listed.contact == detail.site.contact
    return detail.site.contact.state


def listen(store: SqlStore, since: int, now: int) -> None:
    """Note every minute that the controller listens."""
    for at in (*range(since, now, MINUTE), now):
        store.listening(since, at)


def test_a_connected_node_that_says_nothing_is_overdue_after_two_and_a_half_periods(store: SqlStore) -> None:
    store.take(Speaker().birth())
    listen(store, NOW, NOW + 20 * MINUTE)
    assert state(store, NOW + 12 * MINUTE) is ContactState.CONNECTED
    assert state(store, NOW + 13 * MINUTE) is ContactState.OVERDUE
    assert state(store, NOW + 400 * DAY) is ContactState.OVERDUE


def test_an_always_on_node_that_lost_its_connection_is_overdue_when_it_does_not_come_back(
    store: SqlStore,
) -> None:
    pi = Speaker()
    store.take(pi.birth())
    store.take([pi.presence(False, received=NOW + MINUTE)])
    listen(store, NOW, NOW + 5 * MINUTE)
    assert state(store, NOW + 2 * MINUTE) is ContactState.QUIET
    assert state(store, NOW + 3 * MINUTE) is ContactState.OVERDUE


def test_a_dial_in_node_is_quiet_as_planned_until_half_a_period_after_its_call_was_due(
    store: SqlStore,
) -> None:
    pi = Speaker(plan=DIAL_IN)
    store.take([*pi.birth(), pi.presence(False)])
    listen(store, NOW, NOW + 2 * HOUR)
    assert state(store, NOW + 89 * MINUTE) is ContactState.QUIET
    assert state(store, NOW + 91 * MINUTE) is ContactState.OVERDUE


def test_the_will_of_a_connection_that_was_replaced_is_ignored(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    again = replace(pi, connection=2)
    store.take([again.presence(), again.hello(), pi.presence(False)])
    assert state(store, NOW) is ContactState.CONNECTED
    store.take([again.presence(False)])
    assert state(store, NOW) is ContactState.QUIET
    store.take([again.hello()])  # was still on its way
    assert state(store, NOW) is ContactState.QUIET


def test_a_restarted_controller_believes_no_connection_until_it_is_confirmed(
    ground: Ground, store: SqlStore
) -> None:
    pi = Speaker()
    store.take(pi.birth())
    store.close()
    later = ground.open()
    later.listening(NOW + 5 * MINUTE, NOW + 5 * MINUTE)
    assert state(later, NOW + 5 * MINUTE) is ContactState.UNKNOWN
    copy = pi.presence(received=NOW + 5 * MINUTE + 100, retained=True)
    later.take([copy])
    assert state(later, NOW + 5 * MINUTE + 100) is ContactState.CONNECTED
    detail = later.site(EVERYTHING, pi.site, NOW + 5 * MINUTE)
    assert detail is not None
    assert detail.site.contact.last_heard == NOW


def test_what_the_broker_says_before_listening_is_noted_counts(ground: Ground, store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    store.close()
    later = ground.open()
    later.take([pi.presence(received=NOW + HOUR + 500, retained=True)])
    later.listening(NOW + HOUR, NOW + HOUR + 5000)
    assert state(later, NOW + HOUR + 5000) is ContactState.CONNECTED


def test_nobody_is_overdue_for_words_that_were_due_while_the_controller_was_away(
    ground: Ground, store: SqlStore
) -> None:
    store.take([*(pi := Speaker(plan=DIAL_IN)).birth(), pi.presence(False)])
    store.listening(NOW, NOW + MINUTE)
    store.close()
    later = ground.open()
    back = NOW + 10 * HOUR
    later.listening(back, back)
    assert state(later, back) is ContactState.UNKNOWN
    listen(later, back, back + 2 * HOUR)
    assert state(later, back + 89 * MINUTE) is ContactState.UNKNOWN
    assert state(later, back + 91 * MINUTE) is ContactState.OVERDUE


def test_who_was_overdue_before_the_controller_went_away_still_is(ground: Ground, store: SqlStore) -> None:
    store.take(Speaker().birth())
    listen(store, NOW, NOW + HOUR)
    store.close()
    later = ground.open()
    later.listening(NOW + DAY, NOW + DAY)
    assert state(later, NOW + DAY) is ContactState.OVERDUE


def test_no_connection_is_believed_while_nobody_listens(store: SqlStore) -> None:
    store.take(Speaker().birth())
    store.listening(NOW, NOW + MINUTE)
    assert state(store, NOW + 2 * MINUTE) is ContactState.CONNECTED
    assert state(store, NOW + 3 * MINUTE) is ContactState.UNKNOWN


def test_a_clock_of_the_controller_that_was_years_ahead_does_not_keep_sites_quiet_for_years(
    store: SqlStore,
) -> None:
    ahead = NOW + 3650 * DAY
    pi = Speaker(now=ahead)
    store.take([*pi.birth(), pi.presence(False)])
    store.listening(NOW, NOW)
    listen(store, NOW, NOW + 20 * MINUTE)
    assert state(store, NOW + 20 * MINUTE) is ContactState.OVERDUE


def test_a_site_is_as_present_as_the_best_of_its_servers(store: SqlStore) -> None:
    server, second = Speaker(1, name="s1"), Speaker(2, name="s2")
    worker = Speaker(3, name="w", role=Role.AGENT)
    store.take(births([server, second, worker]))
    store.take([second.presence(False), worker.presence(False)])
    listen(store, NOW, NOW + 5 * MINUTE)
    assert state(store, NOW + 5 * MINUTE) is ContactState.CONNECTED
    states = {one.name: one.contact.state for one in store.nodes(EVERYTHING, NOW + 5 * MINUTE).rows}
    assert states == {"s1": ContactState.CONNECTED, "s2": ContactState.OVERDUE, "w": ContactState.OVERDUE}
    store.take([server.presence(False, received=NOW + 5 * MINUTE)])
    listen(store, NOW + 5 * MINUTE, NOW + 8 * MINUTE)
    assert state(store, NOW + 8 * MINUTE) is ContactState.OVERDUE


def test_sweeping_writes_down_who_fell_silent_and_when(store: SqlStore) -> None:
    pi = Speaker(plan=LinkPlan(mode=LinkMode.ALWAYS_ON, every=60))
    store.take(pi.birth())
    assert store.sweep(NOW + 1000) == frozenset()
    listen(store, NOW, NOW + 10 * MINUTE)
    assert store.sweep(NOW + 10 * MINUTE) == {pi.site}
    assert store.sweep(NOW + 10 * MINUTE) == frozenset()
    listen(store, NOW + 10 * MINUTE, NOW + 12 * MINUTE)
    store.take([replace(pi, now=NOW + 12 * MINUTE).event(text="back")])
    spans = store.contact_spans(EVERYTHING, pi.site, NOW - MINUTE, NOW + 12 * MINUTE)
    assert [(one.state, one.since - NOW) for one in spans] == [
        ("never", -MINUTE),
        ("connected", 0),
        ("overdue", 150_000),
        ("connected", 12 * MINUTE),
    ]


def test_silence_nobody_swept_is_in_the_history_all_the_same(store: SqlStore) -> None:
    pi = Speaker(plan=LinkPlan(mode=LinkMode.ALWAYS_ON, every=60))
    store.take(pi.birth())
    listen(store, NOW, NOW + 10 * MINUTE)
    store.take([replace(pi, now=NOW + 10 * MINUTE).event()])
    spans = store.contact_spans(EVERYTHING, pi.site, NOW, NOW + 10 * MINUTE)
    assert [one.state for one in spans] == ["connected", "overdue", "connected"]


def test_the_time_in_which_the_controller_was_away_is_unknown_in_the_history(
    ground: Ground, store: SqlStore
) -> None:
    pi = Speaker()
    store.take(pi.birth())
    listen(store, NOW, NOW + MINUTE)
    store.close()
    later = ground.open()
    listen(later, NOW + HOUR, NOW + HOUR + MINUTE)
    later.take([replace(pi, now=NOW + HOUR + MINUTE).hello()])
    spans = later.contact_spans(EVERYTHING, pi.site, NOW, NOW + HOUR + MINUTE)
    assert [(one.state, one.since - NOW) for one in spans] == [
        ("connected", 0),
        ("unknown", MINUTE),
        ("connected", HOUR + MINUTE),
    ]
    summary = later.summary(EVERYTHING, NOW + HOUR + MINUTE)
    assert [(one.since - NOW, (one.until or 0) - NOW) for one in summary.away] == [(MINUTE, HOUR)]
    assert summary.controller_since == NOW + HOUR


@pytest.mark.parametrize(
    ("sort", "first"),
    [(SiteSort.NAME, "s0"), (SiteSort.CONTACT, "s1"), (SiteSort.HEARD, "s1")],
)
def test_lists_are_sorted_by_what_is_asked_for(store: SqlStore, sort: SiteSort, first: str) -> None:
    for number in range(3):
        pi = Speaker(number, site_id(number), f"s{number}", now=NOW - (HOUR if number == 1 else 0))
        store.take(pi.birth())
    store.listening(NOW - 1000, NOW)
    rows = store.sites(EVERYTHING, SiteQuery(sort=sort), NOW).rows
    assert rows[0].name == first
    backwards = store.sites(EVERYTHING, SiteQuery(sort=sort, descending=True), NOW).rows
    assert backwards[0].name != first


def test_lists_are_filtered_by_contact_at_the_moment_of_looking(store: SqlStore) -> None:
    store.take([*Speaker(1, site_id(1), "a").birth(), *Speaker(2, site_id(2), "b", plan=DIAL_IN).birth()])
    listen(store, NOW, NOW + 20 * MINUTE)
    late = NOW + 20 * MINUTE
    overdue = store.sites(EVERYTHING, SiteQuery(contact=(ContactState.OVERDUE,)), late)
    assert [one.name for one in overdue.rows] == ["a"]
    assert store.summary(EVERYTHING, late).contact == {"quiet": 1, "overdue": 1}


def test_a_silent_line_of_a_node_that_dials_in_is_shown_as_quiet_from_the_end_of_its_call_on(
    store: SqlStore,
) -> None:
    store.take(Speaker(1, site_id(1), "a", plan=DIAL_IN).birth())
    listen(store, NOW, NOW + 20 * MINUTE)
    (row,) = store.sites(EVERYTHING, SiteQuery(), NOW + 20 * MINUTE).rows
    assert row.contact.state is ContactState.QUIET
    assert row.contact.since == NOW + CALL_GRACE
    assert row.contact.due == NOW + grace(DIAL_IN)


def test_pages_are_cut_where_asked_and_count_everything(store: SqlStore) -> None:
    for number in range(7):
        store.take([Speaker(number, site_id(number), f"s{number}").hello()])
    page = store.sites(EVERYTHING, SiteQuery(page=3, size=3), NOW)
    assert ([one.name for one in page.rows], page.total) == (["s6"], 7)
    assert store.nodes(EVERYTHING, NOW, text=node_id(4)[-3:].upper().lower(), size=2).total == 1
    assert store.sites(EVERYTHING, SiteQuery(text="%"), NOW).total == 0
