"""One browser for all tests of this folder, and a controller with fakes behind it on a port of loopback."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from archipel_contract.commands import Action
from archipel_fleet.order_records import OrderResult, OrderRow, OrderState
from tests.browser import chromium
from tests.browser.chromium import Chromium
from tests.fakes.fleet_context import PASSWORD
from tests.fakes.fleet_keys import FakeKeys
from tests.fakes.fleet_sites import DAY, MINUTE, NOW, node_id, site_id
from tests.fleet.serving import answering
from tests.fleet.web.visiting import House

ORDER = "c-0000000000000001"


@pytest.fixture(scope="session")
def one_browser() -> Iterator[Chromium]:
    """The browser; skips where there is none."""
    why_not = chromium.missing()
    if why_not:
        pytest.skip(why_not)
    started = Chromium()
    yield started
    started.close()


@pytest.fixture
def house() -> House:
    """The controller, which has keys and one order with what came of it."""
    made = House(keys=FakeKeys())
    order = OrderRow(
        id=ORDER, node_id=node_id(1, 1), node_name="node-1", site_id=site_id(1), customer="default",
        action=Action.LOGS, arguments={"source": "k3s", "lines": 200}, asked_by="otto",
        issued=NOW - MINUTE, expires=NOW + DAY,
    )  # fmt: skip
    made.store.book.add_order(order, b"")
    lines = "\n".join(
        f"line {number} of what k3s said, which may be rather long " * 4 for number in range(40)
    )
    result = OrderResult(media="text/plain", name="", data=lines.encode())
    made.store.book.becomes(ORDER, OrderState.DONE, result)
    waiting = replace(
        order, id=ORDER.replace("1", "2"), state=OrderState.QUEUED, action=Action.DOCTOR, arguments={}
    )
    made.store.book.add_order(waiting, b"")
    return made


@pytest.fixture
def browser(one_browser: Chromium, house: House) -> Iterator[Chromium]:
    """The browser, logged in as the administrator, in English, wide."""
    with answering(house.app, house.context.live) as address:
        one_browser.begin(address)
        one_browser.log_in("anna", PASSWORD)
        yield one_browser
        one_browser.leave()
