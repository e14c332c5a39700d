"""A controller's HTTP side with fakes behind it, new for each test."""

import pytest

from tests.fleet.web.visiting import House


@pytest.fixture
def house() -> House:
    """The controller."""
    return House()
