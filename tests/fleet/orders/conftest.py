"""Orders over a real store, with keys in memory and a node that heeds them by the contract's own rule."""

from tests.fleet.storage.conftest import (
    ground,
    postgresql,
    pytest_collection_modifyitems,
    store,
)

__all__ = ["ground", "postgresql", "pytest_collection_modifyitems", "store"]
