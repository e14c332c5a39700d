"""The pages over the application: who sees what, hostile names, languages, and what an address may hold."""

import html
from dataclasses import replace

import pytest

from archipel_contract.status import Health
from archipel_fleet.records import ContactState, LastHealth
from tests.fakes import fleet_sites
from tests.fakes.fleet_store import FakeStore
from tests.fleet.web.visiting import House

BERLIN, GERA, EMDEN = (fleet_sites.site_id(number) for number in (1, 6, 4))
HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(2)>'


def renamed(number: int, name: str) -> FakeStore:
    rows = [fleet_sites.site_row(one) for one in range(len(fleet_sites.TABLE))]
    rows[number] = replace(rows[number], name=name)
    return FakeStore(rows)


def test_every_site_stands_in_the_list_with_both_axes_and_the_age_of_both(house: House) -> None:
    page = house.visitor("anna").get("/sites").text
    for name, *_ in fleet_sites.TABLE:
        assert f">{name}</a>" in page
    row = page.partition(f'id="row-{fleet_sites.site_id(3)}"')[2].partition("</tr>")[0]
    assert "Overdue" in row
    assert "Unhealthy" in row
    assert row.count("40 days ago") == 2
    assert "v1.34.1+k3s1" in row
    assert "Pods end and start again" in row


def test_what_was_sick_when_last_heard_is_shown_sick_however_long_it_is_silent(house: House) -> None:
    page = house.visitor("anna").get(f"/sites/{fleet_sites.site_id(3)}").text
    assert "It had problems when it was last heard, and counts as unhealthy until it says otherwise." in page
    assert "Nothing was heard from this site although a word was due." in page


def test_a_rehearsed_site_is_marked_in_the_list_on_its_page_and_among_the_nodes(house: House) -> None:
    visitor = house.visitor("anna")
    assert visitor.get("/sites?rehearsed=no").text.count("REHEARSED</strong>") == 0
    assert visitor.get("/sites?rehearsed=yes").text.count("REHEARSED</strong>") == 2
    assert visitor.get(f"/sites/{fleet_sites.site_id(10)}").text.count("REHEARSED</strong>") == 1
    assert visitor.get("/nodes?q=rehearsed-001").text.count("REHEARSED</strong>") == 3


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("?contact=overdue", {"celle", "dresden", "rehearsed-002"}),
        ("?contact=overdue&health=healthy", {"celle"}),
        ("?health=stopped&health=working", {"ilmenau", "jena"}),
        ("?q=ALE", {"aalen"}),
        ("?customer=south", {"ilmenau", "jena"}),
        ("?version=v1.35.6%2Bk3s1", {"celle"}),
        ("?os=Ubuntu+26.04+LTS", {"ilmenau"}),
        ("?finding=heat", {"fulda"}),
        ("?contact=&health=&q=zz", set()),
    ],
)
def test_a_filter_shows_what_it_names_and_nothing_else(address: str, names: set[str], house: House) -> None:
    page = house.visitor("anna").get(f"/sites{address}").text
    shown = {name for name, *_ in fleet_sites.TABLE if f">{name}</a>" in page}
    assert shown == names
    assert ("No site matches" in page) is (not names)


def test_a_chosen_tile_takes_its_own_filter_away_and_leaves_the_others(house: House) -> None:
    page = html.unescape(
        house.visitor("anna").get("/sites?q=e&contact=overdue&health=healthy&sort=heard").text
    )
    tile = page.partition('id="tile-contact-overdue"')[2].partition(">")[0]
    assert 'href="/sites?q=e&health=healthy&sort=heard"' in tile
    assert 'aria-current="true"' in tile


def test_the_sorted_column_says_its_order_and_turns_it_when_chosen_again(house: House) -> None:
    page = html.unescape(house.visitor("anna").get("/sites?sort=health&contact=overdue").text)
    head = page.partition('class="c-health"')[2].partition("</th>")[0]
    assert 'aria-sort="ascending"' in head
    assert 'href="/sites?contact=overdue&sort=health&descending=yes"' in head


def test_pages_of_a_long_list_lead_to_each_other_and_keep_the_filter(house: House) -> None:
    rows = [replace(fleet_sites.site_row(0), site_id=f"s-{n:016x}", name=f"site-{n:04}") for n in range(120)]
    visitor = House(store=FakeStore(rows)).visitor("anna")
    middle = html.unescape(visitor.get("/sites?q=site&page=2").text)
    assert "51 to 100 of 120" in middle
    assert 'href="/sites?q=site" rel="prev"' in middle
    assert 'href="/sites?q=site&page=3" rel="next"' in middle
    last = visitor.get("/sites?q=site&page=3").text
    assert 'rel="next"' not in last
    beyond = visitor.get("/sites?page=99")
    assert beyond.status_code == 200
    assert "No site matches" in beyond.text


@pytest.mark.parametrize(
    "address",
    ["/sites?page=abc", "/sites?page=0", "/sites?page=99999999999999999999", "/sites?contact=maybe", "/sites?sort=x",
     "/sites?size=51", "/sites?nix=1", "/sites?q=%00", "/nodes?page=-1", "/nodes?nix=1", f"/sites/{BERLIN}?before=x",
     "/sites?rehearsed=perhaps", "/sites?q=" + "a" * 201, f"/sites/{BERLIN}?nix=1"],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_refused_with_a_sentence(address: str, house: House) -> None:
    answer = house.visitor("anna").get(address)
    assert answer.status_code == 400
    assert "The page does not understand" in answer.text
    assert "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize(
    "name", [HOSTILE, "x" * 300, "&amp; '\" {{ 7*7 }} {% raw %}", "\u202egnirts", "ä" * 300]
)
def test_a_hostile_name_is_text_and_nothing_more(name: str) -> None:
    visitor = House(store=renamed(1, name)).visitor("anna")
    for address in ("/sites", f"/sites/{BERLIN}", "/nodes"):
        page = visitor.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        if address != "/nodes":
            assert name in html.unescape(page.text)


def test_an_address_that_is_hostile_is_text_and_nothing_more(house: House) -> None:
    visitor = house.visitor("anna")
    for address in (
        "/sites?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/sites?%3Cscript%3E=1",
        "/%3Cscript%3E",
    ):
        assert "<script>alert" not in visitor.get(address).text
        assert "<script>=" not in visitor.get(address).text


def test_a_customers_reader_sees_no_byte_of_anothers_sites(house: House) -> None:
    visitor = house.visitor("nora")
    listed = visitor.get("/sites").text + visitor.get("/nodes").text
    own = {name for name, customer, *_ in fleet_sites.TABLE if customer == "north"}
    for name, customer, *_ in fleet_sites.TABLE:
        assert (f">{name}</a>" in listed) is (customer == "north"), name
    assert len(own) == 4
    assert "south" not in listed
    assert "default" not in listed


def test_what_is_anothers_is_answered_exactly_like_what_does_not_exist(house: House) -> None:
    visitor = house.visitor("nora")
    foreign, absent = visitor.get(f"/sites/{BERLIN}"), visitor.get("/sites/s-9999999999999999")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.text.replace(BERLIN, "X") == absent.text.replace("s-9999999999999999", "X")
    assert visitor.get(f"/sites/{EMDEN}").status_code == 200


@pytest.mark.parametrize(
    "address", ["/", "/sites", f"/sites/{BERLIN}", "/nodes", "/accounts", "/live", "/nix"]
)
def test_nothing_is_readable_without_a_login(address: str, house: House) -> None:
    answer = house.visitor().get(address)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=")
    assert answer.text == ""


def test_a_part_asked_for_by_a_page_whose_session_is_over_moves_the_whole_page_to_the_login(
    house: House,
) -> None:
    answer = house.visitor().get("/sites", hx_request="true")
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/login"


def test_htmx_gets_the_moving_part_alone(house: House) -> None:
    visitor = house.visitor("anna")
    for address in ("/sites?contact=overdue", f"/sites/{BERLIN}", "/nodes"):
        whole, part = visitor.get(address).text, visitor.get(address, hx_request="true").text
        assert "<html" in whole
        assert "<html" not in part
        assert part.strip() in whole


def test_the_language_follows_address_then_cookie_then_browser(house: House) -> None:
    visitor = house.visitor("anna")
    assert "Alle Standorte" in visitor.get("/sites", accept_language="fr, de;q=0.8, en;q=0.5").text
    assert "All sites" in visitor.get("/sites", accept_language="fr, it").text
    assert "Alle Standorte" in visitor.get("/sites?lang=de", accept_language="en").text
    assert "Alle Standorte" in visitor.get("/sites", accept_language="en").text, "the cookie remembers"
    assert "All sites" in visitor.get("/sites?lang=en").text
    assert 'lang="en"' in visitor.get("/sites?lang=xx").text


def test_colours_are_chosen_without_a_script_and_remembered(house: House) -> None:
    visitor = house.visitor("anna")
    assert 'data-theme="auto"' in visitor.get("/sites").text
    assert 'data-theme="dark"' in visitor.get("/sites?theme=dark").text
    assert 'data-theme="dark"' in visitor.get("/nodes").text
    assert 'data-theme="dark"' in visitor.get("/nodes?theme=plaid").text


def test_the_switches_keep_what_the_list_shows(house: House) -> None:
    page = html.unescape(house.visitor("anna").get("/sites?contact=overdue&theme=dark&q=e").text)
    assert 'href="/sites?contact=overdue&q=e&lang=de"' in page


def test_a_finding_says_why_and_what_next_in_the_readers_language(house: House) -> None:
    visitor = house.visitor("anna")
    english, german = (visitor.get(f"/sites/{BERLIN}?lang={one}").text for one in ("en", "de"))
    assert "Disk space is getting low: 1.9 GB" in english
    assert "Why</h4>" in english
    assert "What next</h4>" in english
    assert "Der Plattenplatz wird knapp: 1.9 GB" in german
    assert german.count("Schritt für Schritt") == 2
    assert '<code class="command">sudo archipel repair disk-low</code>' in english


def test_a_site_nobody_ever_heard_of_claims_nothing(house: House) -> None:
    page = house.visitor("anna").get(f"/sites/{GERA}").text
    assert "Nothing was ever heard from this site." in page
    assert "All is well" not in page
    assert "No measurements were reported" in page or "Measurements of gera-1" in page
    assert "Nothing is recorded." in page


def test_the_timeline_marks_unsure_times_and_leads_to_older_ones(house: House) -> None:
    visitor = house.visitor("anna")
    page = visitor.get(f"/sites/{BERLIN}").text
    assert page.count("time unsure") == 1
    older = visitor.get(f"/sites/{BERLIN}?before={fleet_sites.NOW - fleet_sites.HOUR * 8}").text
    assert "Newest" in older
    assert older.count('class="dim absolute"') == 1


def test_gaps_are_said_with_their_reason(house: House) -> None:
    page = house.visitor("anna").get(f"/sites/{BERLIN}").text
    assert "numbers 11 to 19 of epoch 8" in page
    assert "the device had no space left for them" in page
    assert "No message is known to be lost." in house.visitor("anna").get(f"/sites/{EMDEN}").text


def test_the_page_says_when_nobody_listened(house: House) -> None:
    said = "This controller was not listening from 2026-11-19 11:00:00 UTC to 2026-11-19 12:00:00 UTC."
    visitor = house.visitor("anna")
    assert said in visitor.get(f"/sites/{BERLIN}").text
    assert said not in visitor.get("/sites").text, "the list says it for a day only"
    house.clock.milliseconds -= 2 * fleet_sites.DAY
    assert said in visitor.get("/sites").text


def test_a_site_that_changed_is_shown_changed_at_the_next_look(house: House) -> None:
    visitor = house.visitor("anna")
    assert "All is well there." in visitor.get(f"/sites/{fleet_sites.site_id(0)}").text
    row = house.store._rows[0]
    sick = LastHealth(health=Health.UNHEALTHY, heard=fleet_sites.NOW, since=fleet_sites.NOW)
    house.store._rows[0] = replace(row, health=sick, contact=replace(row.contact, state=ContactState.OVERDUE))
    page = visitor.get(f"/sites/{fleet_sites.site_id(0)}").text
    assert "All is well there." not in page
    assert "counts as unhealthy until it says otherwise" in page


def test_a_database_that_is_away_is_said_with_its_remedy(house: House) -> None:
    visitor = house.visitor("anna")
    house.store.failing = "fleet-database-away"
    answer = visitor.get("/sites")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


def test_a_defect_is_a_page_with_a_remedy_and_no_inside(house: House) -> None:
    visitor = house.visitor("anna")

    def broken(*_: object) -> None:
        raise RuntimeError("the inside of the program")

    house.store.summary = broken  # type: ignore[method-assign, assignment] # a defect is made on purpose
    answer = visitor.get("/sites")
    assert answer.status_code == 500
    assert "see what this command wrote: archipel fleet serve" in answer.text
    assert "inside of the program" not in answer.text


def test_assets_may_be_kept_and_pages_may_not(house: House) -> None:
    visitor = house.visitor("anna")
    assert "immutable" in visitor.get("/static/archipel.css").headers["cache-control"]
    assert visitor.get("/sites").headers["cache-control"] == "no-store"
    assert visitor.get("/static/../rendering.py").status_code == 404


def test_no_page_holds_anything_inline_that_the_policy_forbids(house: House) -> None:
    visitor = house.visitor("anna")
    for address in ("/sites", f"/sites/{BERLIN}", "/nodes", "/accounts", "/nix"):
        page = visitor.get(address)
        assert " style=" not in page.text
        assert " onclick=" not in page.text
        assert "<script>" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "http" not in {one.partition(":")[0] for one in _addresses(page.text)}


def _addresses(page: str) -> set[str]:
    return {part.partition('"')[0] for sign in ('href="', 'src="') for part in page.split(sign)[1:]}
