"""When did something happen that a device tells of later, perhaps with a wrong clock? Pure.

The device's own time is taken where its clock was synchronised and it is not in the future. Otherwise the time since its
boot tells, if the controller knows when that boot was. Otherwise the device's time is taken as far as it lies between what
is known: after what the device told before, before the message arrived. Nothing is ever ordered or deleted by such a time.
"""

from dataclasses import dataclass

from archipel_contract.facts import ClockQuality

# A synchronised clock and ours may differ by this without either being wrong; the same limit as for `fleet-clock-off`.
TOLERANCE = 5 * 60_000
# 2020-01-01 UTC: before the first version of this program; a clock that shows less is wrong whatever it says of itself.
EARLIEST = 1_577_836_800_000


@dataclass(frozen=True, slots=True)
class Told:
    """When a message was made, as the message says it: see `Envelope`; milliseconds."""

    at: int
    clock: ClockQuality
    up: int


def reckoned(told: Told, received: int, booted: int | None, floor: int | None) -> tuple[int, bool]:
    """Return the time on the controller's clock, and whether it is sure.

    `booted` is when the boot of this message began by the controller's clock, None if unknown; `floor` when the newest
    thing happened that the node told before this one, in its own order.
    """
    if told.clock is ClockQuality.SYNCHRONIZED and EARLIEST <= told.at <= received + TOLERANCE:
        return min(told.at, received), True
    if booted is not None and told.up > 0 and booted + told.up <= received + TOLERANCE:
        return min(booted + told.up, received), True
    lowest = min(floor if floor is not None else EARLIEST, received)
    if told.at < EARLIEST:
        # It knows nothing; somewhere between the two, and the later end is the one that is certain.
        return received, False
    return max(lowest, min(told.at, received)), False


def boot_began(received: int, up: int) -> int | None:
    """Return when the machine was started, by the controller's clock, from a message made just now."""
    return received - up if up > 0 else None
