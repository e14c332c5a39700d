"""One browser for all tests of this folder, and a controller with fakes behind it on a port of loopback."""

from collections.abc import Iterator

import pytest

from tests.browser import chromium
from tests.browser.chromium import Chromium
from tests.fakes.fleet_context import PASSWORD
from tests.fleet.serving import answering
from tests.fleet.web.visiting import House


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
    """The controller."""
    return House()


@pytest.fixture
def browser(one_browser: Chromium, house: House) -> Iterator[Chromium]:
    """The browser, logged in as the administrator, in English, wide."""
    with answering(house.app, house.context.live) as address:
        one_browser.begin(address)
        one_browser.log_in("anna", PASSWORD)
        yield one_browser
        one_browser.leave()
