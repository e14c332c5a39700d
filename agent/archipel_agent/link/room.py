"""Room: how large a lane may become, and what goes when it would become larger. Used by `lanes`."""

from collections.abc import Callable

from archipel_agent.link.entries import Key, joined
from archipel_agent.link.gaps import Loss
from archipel_agent.link.outbox import Outbox
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import GapReason

MIB = 1 << 20
CAPS = {Lane.RESULT: 8 * MIB, Lane.EVENT: 16 * MIB, Lane.METRIC: 32 * MIB}
DISK_SHARE = 20  # one lane takes at most a twentieth of what is free
LEAST_CAP = 64 << 10
SPARE = 20  # when a lane is full, a twentieth more is dropped than needed: one gap instead of many

Totals = dict[Lane, tuple[int, int]]  # messages and bytes on disk


class LaneFull(Exception):
    """A lane from which nothing may be dropped takes nothing more."""


def cap(lane: Lane, totals: Totals, free_bytes: Callable[[], int | None]) -> int:
    """Return how many bytes a lane may take; `free_bytes` is asked only once there is something to speak of.

    What is stored already is no reason to drop it when the disk fills: the lane just grows no further.
    """
    used = sum(size for _, size in totals.values())
    free = free_bytes() if used > LEAST_CAP else None
    if free is None:
        return CAPS[lane]
    return min(CAPS[lane], max(LEAST_CAP, (free + used) // DISK_SHARE, totals[lane][1]))


def spare(
    outbox: Outbox, lane: Lane, size: int, totals: Totals, limit: int
) -> tuple[list[tuple[Key, int]], list[Loss]]:
    """Return what must be deleted for `size` more bytes in a lane, with its bytes, and the losses thereby declared.

    Raises LaneFull for the lane of results, and OutboxUnusable.
    """
    excess = totals[lane][1] + size - limit
    if excess <= 0:
        return [], []
    if lane is Lane.RESULT:
        raise LaneFull(f"the lane of results is full ({totals[lane][1]} bytes)")
    oldest = outbox.oldest(lane, excess + limit // SPARE)
    return oldest, losses([key for key, _ in oldest], GapReason.SPACE)


def losses(keys: list[Key], reason: GapReason) -> list[Loss]:
    """Return the losses that name exactly these messages."""
    found = []
    for epoch in sorted({epoch for epoch, _ in keys}):
        for span in joined(sequence for one, sequence in keys if one == epoch):
            found.append(Loss(epoch=epoch, span=span, reason=reason, count=span[1] - span[0] + 1))
    return found
