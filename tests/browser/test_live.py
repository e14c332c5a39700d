"""A page that is open follows what happens, and takes nothing away from who reads it."""

import itertools
from dataclasses import replace

import pytest

from archipel_fleet.live import Live
from archipel_fleet.records import ContactState
from tests.browser.chromium import Chromium
from tests.fakes import fleet_sites
from tests.fakes.fleet_context import PASSWORD
from tests.fleet.api.asking import whole_app
from tests.fleet.serving import answering
from tests.fleet.web.visiting import House

pytestmark = [pytest.mark.browser, pytest.mark.real_process, pytest.mark.timeout(90)]

AALEN, BERLIN = fleet_sites.site_id(0), fleet_sites.site_id(1)


def becomes(house: House, number: int, state: ContactState) -> None:
    row = house.store._rows[number]
    house.store._rows[number] = replace(row, contact=replace(row.contact, state=state))
    house.context.live.publish(frozenset({row.site_id}))


def opened(browser: Chromium, path: str) -> None:
    """Open a page and wait until it follows."""
    browser.go(path)
    browser.until(lambda: browser.text("#live") == "Changes appear by themselves")
    browser.run("window.mark = 'not loaded again'")


def test_a_change_is_seen_without_loading_the_page_again(browser: Chromium, house: House) -> None:
    opened(browser, "/sites")
    assert "Connected" in browser.text(f"#row-{AALEN}")
    becomes(house, 0, ContactState.OVERDUE)
    browser.until(lambda: "Overdue" in browser.text(f"#row-{AALEN}"))
    assert browser.text("#tile-contact-overdue .number") == "4"
    assert browser.run("return window.mark") == "not loaded again"
    assert browser.said() == []


def test_focus_scroll_text_and_open_details_stay_where_the_reader_left_them(
    browser: Chromium, house: House
) -> None:
    opened(browser, f"/sites/{BERLIN}")
    browser.run("document.querySelector('#finding-2-steps').open = true")
    browser.run(
        "document.getElementById('finding-2-code').focus(); window.scrollTo({top: 700, behavior: 'instant'})"
    )
    place = "return document.getElementById('finding-2-code').getBoundingClientRect().top"
    before = browser.run(place)
    becomes(house, 1, ContactState.OVERDUE)
    browser.until(lambda: "Overdue" in browser.text(".axis"))
    assert "Next word due" in browser.text(".axis")
    assert abs(browser.run(place) - before) < 2, "a line more above does not move what is being read"
    assert browser.run("return document.activeElement.id") == "finding-2-code"
    assert browser.run("return document.querySelector('#finding-2-steps').open") is True


def test_what_is_being_typed_is_not_taken_away(browser: Chromium, house: House) -> None:
    opened(browser, "/sites?health=healthy")
    browser.find("#search").send_keys("half a na")
    becomes(house, 0, ContactState.OVERDUE)
    browser.until(lambda: "Overdue" in browser.text(f"#row-{AALEN}"))
    assert browser.run("return document.activeElement.id") == "search"
    assert browser.run("return document.getElementById('search').value") == "half a na"
    assert browser.path() == "/sites?health=healthy"


def test_a_site_that_no_longer_matches_leaves_the_filtered_list(browser: Chromium, house: House) -> None:
    opened(browser, "/sites?contact=connected")
    becomes(house, 0, ContactState.QUIET)
    browser.until(lambda: browser.text(f"#row-{AALEN}") == "")


def test_a_page_of_one_site_is_not_moved_by_another(browser: Chromium, house: House) -> None:
    opened(browser, f"/sites/{BERLIN}")
    browser.asked_for()
    becomes(house, 0, ContactState.OVERDUE)
    becomes(house, 1, ContactState.QUIET)
    browser.until(lambda: "Quiet" in browser.text(".axis"))
    assert len([one for one in browser.asked_for() if f"/sites/{BERLIN}" in one]) == 1


def test_many_changes_are_told_in_few(browser: Chromium, house: House) -> None:
    opened(browser, "/sites")
    browser.asked_for()
    states = itertools.cycle((ContactState.OVERDUE, ContactState.CONNECTED))
    for _ in range(300):
        becomes(house, 0, next(states))
    becomes(house, 2, ContactState.QUIET)
    browser.until(lambda: "Quiet" in browser.text(f"#row-{fleet_sites.site_id(2)}"))
    assert len([one for one in browser.asked_for() if one.endswith("/sites")]) <= 2


def test_a_page_says_that_it_is_not_live_and_catches_up_when_the_controller_is_back(
    one_browser: Chromium,
) -> None:
    first = House()
    with answering(first.app, first.context.live) as address:
        one_browser.begin(address)
        one_browser.log_in("anna", PASSWORD)
        opened(one_browser, "/sites")
    one_browser.until(lambda: one_browser.text("#live").startswith("Not live now"), 20)
    assert "Connected" in one_browser.text(f"#row-{AALEN}"), "what was last known stays"
    row = first.store._rows[0]
    first.store._rows[0] = replace(row, contact=replace(row.contact, state=ContactState.OVERDUE))
    again = replace(first.context, live=Live())
    with answering(whole_app(again), again.live, int(address.rpartition(":")[2])):
        one_browser.until(lambda: "Overdue" in one_browser.text(f"#row-{AALEN}"), 20)
        one_browser.until(lambda: one_browser.text("#live") == "Changes appear by themselves")
        assert one_browser.run("return window.mark") == "not loaded again"
        one_browser.leave()


def test_a_session_that_ends_leads_to_the_login(browser: Chromium, house: House) -> None:
    opened(browser, "/sites")
    account = next(one for one in house.context.accounts.all() if one.name == "anna")
    house.context.accounts.put(account, PASSWORD)
    house.context.live.publish(frozenset({AALEN}))
    browser.until(lambda: browser.path().startswith("/login"))
