"""Remote hands and who did what, without a script: forms, the page of an order, its file, the journals."""

import re

import pytest

from archipel_fleet.order_records import OrderResult, OrderState
from archipel_fleet.records import EVERYTHING, FindingRow
from archipel_fleet.web.views import orders as views
from tests.fakes import fleet_sites
from tests.fakes.fleet_book import FakeBook
from tests.fakes.fleet_keys import FakeKeys
from tests.fleet.web.visiting import House, Visitor

BERLIN, JENA = fleet_sites.site_id(1), fleet_sites.site_id(9)
PAGE = f"/sites/{BERLIN}"


@pytest.fixture
def house() -> House:
    """A controller with keys."""
    return House(keys=FakeKeys())


@pytest.fixture
def otto(house: House) -> Visitor:
    """An operator who sees all."""
    return house.visitor("otto")


def order(house: House, otto: Visitor, **fields: str) -> str:
    """Order something by the form; return the order's id."""
    given = {"action": "logs", "node": fleet_sites.node_id(1, 1), **fields}
    answer = otto.send(PAGE, f"{PAGE}/orders", **given)
    assert answer.status_code == 303, answer.text
    found = re.fullmatch(r"/orders/(c-\w+)", answer.headers["location"])
    assert found is not None
    return found[1]


def test_an_order_is_given_by_a_form_and_leads_to_its_page(house: House, otto: Visitor) -> None:
    made = order(house, otto)
    page = otto.get(f"/orders/{made}").text
    assert "Queued" in page
    assert f"/orders/{made}/cancel" in page
    assert made in otto.get(PAGE).text
    assert "anordnung" in otto.get(f"/orders/{made}?lang=de").text.lower()


def test_every_node_at_once_leads_back_to_the_site(house: House, otto: Visitor) -> None:
    answer = otto.send(PAGE, f"{PAGE}/orders", action="doctor", node="")
    assert answer.headers["location"] == f"{PAGE}#hands"
    assert len(house.store.book.orders(EVERYTHING)) == 3


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"action": "restart", "node": ""}, 422),
        ({"action": "dance"}, 422),
        ({"action": "kubectl", "words": "delete pod x"}, 422),
        ({"action": "decommission"}, 403),
        ({"node": fleet_sites.node_id(9, 1)}, 404),
    ],
)
def test_what_cannot_be_ordered_is_a_page_that_says_why(
    house: House, otto: Visitor, fields: dict[str, str], status: int
) -> None:
    given = {"action": "logs", "node": fleet_sites.node_id(1, 1), **fields}
    assert otto.send(PAGE, f"{PAGE}/orders", **given).status_code == status
    assert house.store.book.orders(EVERYTHING) == ()


def test_an_order_to_a_revoked_device_is_a_page_that_says_so_and_the_way_back(
    house: House, otto: Visitor
) -> None:
    book = house.store.book
    assert isinstance(book, FakeBook)
    book.ended[fleet_sites.node_id(1, 1)] = "revoked"
    answer = otto.send(PAGE, f"{PAGE}/orders", action="logs", node=fleet_sites.node_id(1, 1))
    assert (answer.status_code, book.orders(EVERYTHING)) == (409, ())
    assert "It was revoked or taken out of service" in answer.text
    assert "archipel enrol --again" in answer.text


def test_a_form_without_its_token_orders_nothing(house: House, otto: Visitor) -> None:
    answer = otto.post(f"{PAGE}/orders", action="logs", node=fleet_sites.node_id(1, 1))
    assert answer.status_code == 403
    assert house.store.book.orders(EVERYTHING) == ()


def test_a_viewer_gets_no_buttons_and_no_results(house: House, otto: Visitor) -> None:
    viktor = house.visitor("viktor")
    page = viktor.get(f"/sites/{JENA}").text
    assert 'name="action"' not in page
    otto.send(PAGE, f"/sites/{JENA}/orders", action="logs", node=fleet_sites.node_id(9, 1))
    made = house.store.book.orders(EVERYTHING)[0].id
    house.store.book.becomes(
        made, OrderState.DONE, OrderResult(media="text/plain", name="", data=b"secret line")
    )
    seen = viktor.get(f"/orders/{made}")
    assert (seen.status_code, "secret line" in seen.text) == (200, False)
    assert viktor.get(f"/orders/{made}/file").status_code == 403
    assert house.visitor("nora").get(f"/orders/{made}").status_code == 404


def test_a_result_is_shown_as_text_and_fetched_as_a_file_that_no_browser_runs(
    house: House, otto: Visitor
) -> None:
    made = order(house, otto)
    data = b'{"a":1,"b":"<script>alert(1)</script>"}'
    house.store.book.becomes(made, OrderState.DONE, OrderResult(media="application/json", name="", data=data))
    page = otto.get(f"/orders/{made}").text
    assert "&lt;script&gt;" in page and "<script>alert" not in page
    assert "Cancel this order" not in page
    file = otto.get(f"/orders/{made}/file")
    assert file.content == data
    assert file.headers["content-disposition"] == f'attachment; filename="{made}.json"'
    assert file.headers["content-type"] == "application/octet-stream"


def test_an_order_is_taken_back_once(house: House, otto: Visitor) -> None:
    made = order(house, otto)
    token = otto.token(f"/orders/{made}")
    assert otto.post(f"/orders/{made}/cancel", form_token=token).status_code == 303
    assert "Cancelled" in otto.get(f"/orders/{made}").text
    assert otto.post(f"/orders/{made}/cancel", form_token=token).status_code == 409


def test_who_did_what_is_shown_for_the_fleet_and_for_a_site(house: House, otto: Visitor) -> None:
    order(house, otto)
    fleet, site = otto.get("/audit").text, otto.get(f"{PAGE}/audit").text
    assert "Added an account" in fleet and "Ordered" in fleet and "otto" in fleet
    assert "Ordered" in site and "Added an account" not in site
    assert "Wer tat was" in otto.get("/audit?lang=de").text
    assert otto.get("/audit?before=x").status_code == 400
    nora = house.visitor("nora").get("/audit").text
    assert "Ordered" not in nora and "nora" in nora


def test_what_the_link_noticed_of_a_node_stands_on_its_sites_page(house: House) -> None:
    from dataclasses import replace

    from archipel_contract import catalogue
    from tests.fleet.api.asking import whole_app

    node = fleet_sites.node_id(1, 1)
    said = {
        "node": node,
        "count": "3",
        "detail": "it is not signed",
        "reason": "message-unsigned",
        "topic": "t",
    }
    row = FindingRow(finding=catalogue.finding("fleet-sender-unproven", (), None, **said), node_id=node)
    house.context = replace(house.context, about=lambda one: (row,) if one == node else ())
    house.app = whole_app(house.context)
    otto = house.visitor("otto")
    assert "without its key: 3 messages" in otto.get(PAGE).text
    assert "without its key" not in otto.get(f"/sites/{JENA}").text
    assert "fleet-sender-unproven" in otto.get(f"/api/v1/sites/{BERLIN}/why").text


def test_a_result_that_is_no_text_is_not_shown() -> None:
    assert views.as_text(OrderResult(media="application/gzip", name="", data=b"\x1f\x8b")) == ""
    assert (
        views.as_text(OrderResult(media="text/plain", name="", data=b"a\x1b[2Jb\n\xff")) == "a?[2Jb\n\ufffd"
    )
