"""Orders over a real store, with keys in memory and a node that heeds them by the contract's own rule."""

import pytest

from archipel_fleet.storage import SqlStore
from tests.fleet.orders.desk import Desk
from tests.fleet.orders.devices import Device
from tests.fleet.storage.conftest import (
    ground,
    postgresql,
    pytest_collection_modifyitems,
    store,
)

__all__ = ["ground", "postgresql", "pytest_collection_modifyitems", "store"]


@pytest.fixture
def desk(store: SqlStore) -> Desk:
    """Who orders."""
    return Desk(store)


@pytest.fixture
def device(desk: Desk) -> Device:
    """A node that is known and connected."""
    one = Device()
    desk.meet(one)
    return one
