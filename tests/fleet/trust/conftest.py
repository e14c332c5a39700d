"""Keys of a fleet in a directory of their own, by a clock that stands until it is moved."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel_fleet.trust.keyring import FleetKeys


@dataclass
class StandingClock:
    """Implements ports.Clock."""

    at: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def now(self) -> int:
        """See ports.Clock."""
        return round(self.at.timestamp() * 1000)

    def monotonic(self) -> float:
        """See ports.Clock."""
        return self.at.timestamp()

    def on(self, days: float) -> None:
        """Let days go by."""
        self.at += timedelta(days=days)


@pytest.fixture
def clock() -> StandingClock:
    """The controller's clock."""
    return StandingClock()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the keys lie."""
    return tmp_path / "data" / "keys"


@pytest.fixture
def keys(place: Path, clock: StandingClock) -> FleetKeys:
    """Keys as the first start makes them."""
    return FleetKeys.first(place, "plant", clock, secrets.token_bytes)
