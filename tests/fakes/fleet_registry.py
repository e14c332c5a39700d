"""The registry of devices as the link asks it, in memory; implements link.senders.Registry."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from archipel_contract.trust.keys import PublicKey
from archipel_fleet.device_records import DeviceRow, DeviceState, Spoken
from archipel_fleet.ports import StoreFailed


@dataclass
class FakeRegistry:
    """Devices by node id. While `failing` says a code, nobody can ask."""

    known: dict[str, tuple[PublicKey, ...]] = field(default_factory=dict)
    states: dict[str, DeviceState] = field(default_factory=dict)
    heard: list[tuple[str, str, str]] = field(default_factory=list)
    failing: str = ""

    def keys(self, node_id: str) -> tuple[PublicKey, ...]:
        """See Registry."""
        if self.failing:
            raise StoreFailed(self.failing, "made to fail by the test")
        active = self.states.get(node_id, DeviceState.ACTIVE) is DeviceState.ACTIVE
        return self.known.get(node_id, ()) if active else ()

    def device(self, node_id: str) -> DeviceRow | None:
        """See Registry."""
        if node_id not in self.known:
            return None
        return DeviceRow(
            node_id=node_id, state=self.states.get(node_id, DeviceState.ACTIVE), customer="default"
        )

    def seen(self, spoken: Sequence[Spoken], now: int) -> None:
        """See Registry."""
        self.heard += [(one.node_id, one.key_id, one.site_id) for one in spoken]
