"""Opening: at every start, and when an outbox breaks: new epochs, the outbox, and a declaration for all that is lost.

Order matters, because the power may go between any two lines: the counter is raised and the new epochs are known before they
are used; an earlier epoch is forgotten only once the outbox holds the gap that closes it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.link.entries import OPEN_END, Change, Stamp, holes
from archipel_agent.link.gaps import Loss
from archipel_agent.link.lanes import Lanes
from archipel_agent.link.memory import Epochs, Memory
from archipel_agent.link.outbox import Outbox, OutboxUnusable, mark_held, set_aside
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import Gap, GapReason
from archipel_contract.wire import from_json

LOG = logging.getLogger(__name__)
NOW_FULL = ("outbox-full", "outbox-read-only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The lanes of this start, and what was wrong with the outbox (a finding's code and a line), if anything."""

    lanes: Lanes
    outbox: Outbox
    trouble: str = ""
    detail: str = ""


def open_lanes(memory: Memory, path: Path, stamp: Stamp, free_bytes: Callable[[], int | None]) -> Opened:
    """Return the lanes over the outbox at `path`; one that cannot be used is set aside, and a new one made.

    Raises StateUnusable, and OutboxUnusable or OSError while the disk takes nothing at all: try again later.
    """
    before = memory.begin()
    trouble = detail = ""
    is_lost = before.has_outbox and not path.exists()
    try:
        outbox = Outbox(path)
    except OutboxUnusable as error:
        if error.code in NOW_FULL:
            mark_held(path)
            raise
        LOG.warning("the outbox cannot be used and was set aside: %s", error)
        trouble, detail, is_lost = error.code, str(error), True
        set_aside(path)
        outbox = Outbox(path)
    lanes = Lanes(outbox, memory.epochs, free_bytes)
    memory.begun()
    if is_lost:  # of what was closed, only the copies for a restored controller are gone
        outbox.write(Change(gone=dict.fromkeys(before.closed, OPEN_END)))
    losses = _damaged(before) if is_lost else _restarted(before, memory, outbox)
    if lanes.declare(losses, stamp):
        named = outbox.waiting_epochs() | named_in_gaps(outbox)
        known = {*before.open, *before.waiting, *before.closed}
        memory.settle(tuple(known & named), tuple(known - named))
    return Opened(lanes=lanes, outbox=outbox, trouble=trouble, detail=detail)


def _damaged(before: Epochs) -> list[Loss]:
    """All that was in the outbox is lost, and nobody knows what it was. A closed epoch has nothing there but copies."""
    lost = sorted({*before.open, *before.waiting})
    return [Loss(epoch=epoch, span=(1, OPEN_END), reason=GapReason.DAMAGED) for epoch in lost]


def _restarted(before: Epochs, memory: Memory, outbox: Outbox) -> list[Loss]:
    """What was in memory only when the last start ended without order."""
    losses = []
    stored = outbox.epochs()
    for epoch in sorted(before.open):
        last = stored.get(epoch, (0, 0))[0]
        if lane_of(epoch) < Lane.STATE:
            spans = [(last + 1, OPEN_END)] if outbox.was_marked else []
        else:
            spans = holes(1, OPEN_END, outbox.present(epoch)) if memory.was_used(epoch) else []
        losses += [Loss(epoch=epoch, span=span, reason=GapReason.RESTART) for span in spans]
    return losses


def named_in_gaps(outbox: Outbox) -> set[int]:
    """Return the epochs named by gaps that still wait: they must not be forgotten before the controller knows."""
    waiting = outbox.totals().get(Lane.RESULT, (0, 0))[0]
    entries = outbox.waiting(Lane.RESULT, waiting)
    return {from_json(Gap, one.body).epoch for one in entries if one.type == "gap"}
