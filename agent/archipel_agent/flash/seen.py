"""What `flash.watch` found, for the check of that name: values only."""

from dataclasses import dataclass

from archipel_agent.flash.ledger import Rates
from archipel_agent.flash.wear import Wear


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashSeen:
    """The devices that hold k3s' data, and what is written to them. Empty `devices`: they could not be told."""

    devices: tuple[Wear, ...] = ()
    rates: Rates = Rates()
    budget: float | None = None  # bytes a day, None: nothing to keep within
    writers: tuple[str, ...] = ()  # who has written most, where somebody asked
    errors: tuple[str, ...] = ()  # lines of the kernel's log about these devices
    remounted: tuple[str, ...] = ()  # mount points that the kernel made read-only
