"""Keys of a fleet, made once, and a box with nobody in front of it."""

import pytest

from tests.agent.answers.boxes import Box
from tests.fakes.enrolment import FakeFleet, FleetKeys


@pytest.fixture(scope="session")
def fleet_keys() -> FleetKeys:
    """Keys of a fleet."""
    return FleetKeys()


@pytest.fixture
def fleet(fleet_keys: FleetKeys) -> FakeFleet:
    """A fleet nobody has enrolled with."""
    return FakeFleet(fleet_keys)


@pytest.fixture
def box(fleet: FakeFleet) -> Box:
    """A bare machine."""
    return Box(fleet)
