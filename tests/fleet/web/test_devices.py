"""The page of devices: who waits with which code, buttons for who may, nothing of another customer."""

import re

import pytest

from archipel_fleet.device_records import DeviceState
from archipel_fleet.records import EVERYTHING
from tests.fakes.fleet_devices import ACTIVE, CLAIM, OTHER_CLAIM, PENDING
from tests.fleet.web.visiting import House


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_whoever_waits_stands_there_with_the_code_to_compare(house: House) -> None:
    page = house.visitor("anna").get("/devices")
    assert page.status_code == 200
    assert CLAIM in page.text
    assert "Raspberry Pi 5" in page.text
    assert "the code on its own console" in page.text
    assert "“other key”: the node has a key already" in plain(page.text)
    german = house.visitor("anna").get("/devices?lang=de").text
    assert "Warten auf Freigabe" in german


def test_approving_and_refusing_by_the_code_lead_back_to_the_page(house: House) -> None:
    anna = house.visitor("anna")
    answer = anna.send("/devices", "/devices/approve", claim=CLAIM)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/devices?done=approved&node={PENDING}")
    assert "new-pi is let in" in anna.get(answer.headers["location"]).text
    row = house.store.devices.device(PENDING)
    assert row is not None
    assert (row.state, row.approved_by) == (DeviceState.ACTIVE, "anna")
    again = anna.send("/devices", "/devices/approve", claim=CLAIM)
    assert again.status_code == 409
    assert "There is nothing like that any more" in again.text
    refused = anna.send("/devices", "/devices/refuse", claim=OTHER_CLAIM)
    assert refused.status_code == 303
    assert house.store.devices.rows(EVERYTHING, [DeviceState.PENDING]).total == 0


def test_revoking_is_the_admins_and_asks_twice(house: House) -> None:
    anna = house.visitor("anna")
    assert "Revoke gate for good" in anna.get("/devices").text
    assert anna.send("/devices", "/devices/revoke", node=ACTIVE[0]).status_code == 303
    assert house.store.devices.keys(ACTIVE[0]) == ()
    otto = house.visitor("otto")
    assert "Revoke" not in re.findall(r"<summary[^>]*>([^<]+)", otto.get("/devices").text)
    assert otto.send("/devices", "/devices/revoke", node=ACTIVE[1]).status_code == 403
    assert house.store.devices.keys(ACTIVE[1])


@pytest.mark.parametrize("name", ["nora", "viktor"])
def test_nobody_sees_or_touches_a_device_of_another_customer(house: House, name: str) -> None:
    visitor = house.visitor(name)
    page = visitor.get("/devices")
    own, foreign = ("crane", "pump") if name == "nora" else ("pump", "crane")
    assert own in page.text
    assert foreign not in page.text
    assert "gate" not in page.text
    assert CLAIM not in page.text
    status = visitor.send("/devices", "/devices/approve", claim=CLAIM).status_code
    assert status == (409 if name == "nora" else 403)
    row = house.store.devices.request(EVERYTHING, CLAIM)
    assert row is not None
    assert row.state is DeviceState.PENDING


def test_a_viewer_sees_no_buttons(house: House) -> None:
    page = house.visitor("viktor").get("/devices").text
    assert "<button" in page
    assert "Approve" not in page
    assert "Revoke" not in page.replace("Revoked", "")


def test_a_form_that_this_page_did_not_make_changes_nothing(house: House) -> None:
    anna = house.visitor("anna")
    assert anna.post("/devices/approve", claim=CLAIM).status_code == 403
    assert anna.post("/devices/revoke", node=ACTIVE[0], form_token="x").status_code == 403
    assert house.store.devices.keys(ACTIVE[0])


def test_searching_and_a_bad_address(house: House) -> None:
    anna = house.visitor("anna")
    found = anna.get("/devices?q=crane").text
    assert "crane" in found
    assert "pump" not in found
    assert anna.get("/devices?nonsense=1").status_code == 400
    part = anna.get("/devices", hx_request="true").text
    assert "<html" not in part
    assert 'name="form_token"' in part


def test_what_happened_is_told_in_words(house: House) -> None:
    text = plain(house.visitor("anna").get("/devices").text)
    assert "Another key has taken the place of this device's" in text.replace("&#39;", "'")
    assert "Revoked" in text
