"""A fleet for each test; its keys are made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_fleet.trust.keyring import FleetKeys
from tests.fakes.fleet_context import CountedEntropy, FakeClock
from tests.fleet.enrolment.applicant import Fleet


@pytest.fixture(scope="session")
def fleet_keys(tmp_path_factory: pytest.TempPathFactory) -> FleetKeys:
    """Keys of a fleet."""
    directory = tmp_path_factory.mktemp("fleet") / "keys"
    return FleetKeys.first(directory, "Harbour", FakeClock(), CountedEntropy())


@pytest.fixture
def fleet(tmp_path: Path, fleet_keys: FleetKeys) -> Iterator[Fleet]:
    """The fleet."""
    made = Fleet(tmp_path, fleet_keys)
    yield made
    made.store.close()
