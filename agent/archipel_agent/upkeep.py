"""What is looked after between turns besides k3s: the medium with the site's data, and the UPS. Owned by `core`.

It also counts which parts of the agent fail.

Cheap at rest: one comparison, and nothing of the UPS is even loaded where none is set.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from archipel_agent.flash.seen import FlashSeen
from archipel_agent.flash.watch import FlashWatch
from archipel_agent.neighbours import AddressWatch
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.power.seen import UpsSeen
from archipel_agent.rounds import Part, Rounds
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_contract.facts import NodeUsage

if TYPE_CHECKING:
    from archipel_agent.power.watch import PowerWatch

NO_UPS = UpsSeen()


class Upkeep:
    """One node's."""

    def __init__(
        self,
        ports: Ports,
        paths: Paths,
        settings: Settings,
        store: Store | None,
        note: Callable[[str, str], None],
    ) -> None:
        """`note` takes an outcome and a detail about power for the audit journal."""
        self.rounds = Rounds()
        """How the parts fare that the daemon looks after, these and others."""
        self.addresses = AddressWatch(ports.lan)
        """Whether another machine has this node's address, when somebody asks."""
        self._flash = FlashWatch(ports, paths, store, settings.write_budget_mb_per_day)
        self._power = _power_watch(ports, settings, note) if settings.ups else None

    def parts(self) -> Iterator[Part]:
        """Yield what is due between turns, each by its name."""
        yield "medium", self._flash.count
        if self._power is not None:
            yield "power", self._power.look

    def look_thoroughly(self) -> None:
        """Ask what costs more than a closer look may; for the doctor."""
        self._flash.look_thoroughly()
        self.addresses.ask_next()

    def flash(self) -> FlashSeen:
        """Return how the medium stands; for a closer look."""
        return self._flash.seen()

    def ups(self) -> UpsSeen:
        """Return how the UPS stood when it was last asked."""
        return self._power.seen if self._power is not None else NO_UPS

    def shown(self, usage: NodeUsage) -> NodeUsage:
        """Return a sample with what is known of medium and power in it."""
        with_flash = self._flash.shown(usage)
        return with_flash if self._power is None else replace(with_flash, supply=self._power.seen.supply)


def _power_watch(ports: Ports, settings: Settings, note: Callable[[str, str], None]) -> "PowerWatch":
    from archipel_agent.power.watch import PowerWatch  # noqa: PLC0415 - a machine without a UPS must not pay for it

    return PowerWatch(ports, settings.ups, settings.ups_patience, note)
