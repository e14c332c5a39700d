"""Keys of two fleets, made once, and a device that has never been anywhere."""

import pytest

from tests.agent.identity.devices import Device
from tests.fakes.enrolment import FakeEnroller, FakeFleet, FleetKeys


@pytest.fixture(scope="session")
def fleet_keys() -> FleetKeys:
    """Keys of a fleet."""
    return FleetKeys()


@pytest.fixture(scope="session")
def other_keys() -> FleetKeys:
    """Keys of somebody else's."""
    return FleetKeys()


@pytest.fixture
def fleet(fleet_keys: FleetKeys) -> FakeFleet:
    """A fleet nobody has enrolled with."""
    return FakeFleet(fleet_keys)


@pytest.fixture
def enroller(fleet: FakeFleet) -> FakeEnroller:
    """The way there, without a network."""
    return FakeEnroller(fleet)


@pytest.fixture
def device(enroller: FakeEnroller) -> Device:
    """A device in virtual time."""
    return Device(enroller)
