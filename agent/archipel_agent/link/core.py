"""What is behind a link's thread: outbox, states and engine of the present epochs, opened anew when the outbox breaks.

Called by `link` under its lock. While the outbox cannot be opened (a full disk at the start of the agent), events are held
here, a few, and what is too many is counted and declared once there is an outbox.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from archipel_agent.link import room
from archipel_agent.link.engine import Budget, Engine
from archipel_agent.link.entries import Stamp, body_of
from archipel_agent.link.gaps import Loss
from archipel_agent.link.lanes import Lanes
from archipel_agent.link.memory import Facts, Memory
from archipel_agent.link.opening import open_lanes
from archipel_agent.link.outbox import Outbox, OutboxUnusable
from archipel_agent.link.states import States
from archipel_agent.ports import Entropy
from archipel_agent.state.database import StateUnusable
from archipel_contract.audit import AuditEntries
from archipel_contract.commands import Result
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import TYPE_OF, Event, GapReason, Metrics

LOG = logging.getLogger(__name__)
RETRY_SECONDS = 30.0
EARLY_LIMIT = 200


class LinkCore:
    """The outbox and the engine over it."""

    def __init__(
        self,
        facts: Facts,
        entropy: Entropy,
        path: Path,
        free_bytes: Callable[[], int | None],
        budget: Budget,
    ) -> None:
        self._facts, self._entropy, self._path = facts, entropy, path
        self._free_bytes, self._budget = free_bytes, budget
        self._outbox: Outbox | None = None
        self._lanes: Lanes | None = None
        self._engine: Engine | None = None
        self._memory: Memory | None = None
        self._state: dict[str, Any] | None = None
        self._early: list[tuple[Stamp, bytes]] = []
        self._early_lost = 0
        self._dropped = 0  # by lanes that broke since
        self.generation = 0  # grows with every opening
        self.retry_at = 0.0
        self.trouble, self.detail = "", ""

    def random(self) -> float:
        """Return a number from 0 up to 1."""
        return int.from_bytes(self._entropy.bytes(6), "big") / (1 << 48)

    def open(self, stamp: Stamp, now: float) -> bool:
        """Open the outbox if it is not open and it is time to try; return whether it is open."""
        if self._lanes is not None:
            return True
        if now < self.retry_at:
            return False
        try:
            if self._memory is None:
                self._memory = Memory(self._facts, self._entropy)
            opened = open_lanes(self._memory, self._path, stamp, self._free_bytes)
        except (StateUnusable, OutboxUnusable, OSError) as error:
            LOG.warning("there is no outbox for now: %s", error)
            self.trouble, self.detail = getattr(error, "code", "outbox-full"), str(error)
            self.retry_at = now + RETRY_SECONDS
            return False
        states = States(self._memory.epochs[Lane.STATE], self.random)
        self._engine = Engine(opened.lanes, states, self._budget, self.random)
        self._engine.incarnation = self._memory.incarnation
        self._lanes, self._outbox = opened.lanes, opened.outbox
        self.trouble, self.detail = opened.trouble, opened.detail
        self.generation += 1
        if self._state is not None:
            states.is_now(self._state)
        self._catch_up(stamp)
        return True

    def _catch_up(self, stamp: Stamp) -> None:
        assert self._lanes is not None  # just opened
        early, self._early = self._early, []
        for made, body in early:
            self._lanes.add(Lane.EVENT, "event", [body], made)
        if self._early_lost:
            self._lanes.skip(Lane.EVENT, self._early_lost, stamp)
            self._early_lost = 0

    def broken(self, error: OutboxUnusable) -> None:
        """The outbox cannot be used any more: the next `open` sets it aside."""
        LOG.error("the outbox broke: %s", error)
        self.trouble, self.detail = error.code, str(error)
        if self._lanes is not None and self._outbox is not None:
            self._dropped += self._lanes.dropped
            self._outbox.close()
        self._lanes = self._engine = None
        self.retry_at = 0.0

    # --- taking in ---------------------------------------------------------------------------------------------------

    def tell(self, events: Sequence[Event], stamp: Stamp, now: float) -> None:
        """Take in events."""
        bodies = [body_of(one) for one in events]
        for _ in range(2):  # once more where the outbox turned out to be broken
            if self.open(stamp, now) and self._lanes is not None:
                try:
                    self._lanes.add(Lane.EVENT, "event", bodies, stamp)
                except OutboxUnusable as error:
                    self.broken(error)
                else:
                    return
        self._early += [(stamp, body) for body in bodies]
        self._early_lost += max(0, len(self._early) - EARLY_LIMIT)
        self._early = self._early[-EARLY_LIMIT:]

    def say(self, bodies: Sequence[Result | AuditEntries], stamp: Stamp, now: float) -> bool:
        """Take in results or audit entries, all of one kind; False, and nothing taken, while there is no room for them."""
        if not self.open(stamp, now) or self._lanes is None:
            return False
        try:
            self._lanes.add(Lane.RESULT, TYPE_OF[type(bodies[0])], [body_of(one) for one in bodies], stamp)
        except room.LaneFull:
            return False
        except OutboxUnusable as error:
            self.broken(error)
            return False
        return True

    def results(self) -> tuple[int, int]:
        """Return how many bytes of results wait, and how many more are taken."""
        if self._lanes is None:
            return 0, 0
        totals = self._lanes.waiting()
        waits = totals[Lane.RESULT][1]
        return waits, max(0, room.cap(Lane.RESULT, totals, self._free_bytes) - waits)

    def state_is(self, state: dict[str, Any]) -> None:
        """Take in the state as it is now."""
        self._state = state
        if self._engine is not None:
            self._engine.states.is_now(state)

    def sampled(self, point: Metrics, stamp: Stamp) -> None:
        """Take in samples; without an outbox they are passed over, as while the agent does not run."""
        if self._lanes is None or self._memory is None:
            return
        try:
            self._memory.use()
        except StateUnusable as error:
            LOG.warning("should power go now, lost samples will not be declared: %s", error)
        self._lanes.add_point(point, stamp)

    def spill(self, stamp: Stamp) -> None:
        """Write to the disk what should be there by now."""
        if self._lanes is not None:
            try:
                self._lanes.spill(stamp)
            except OutboxUnusable as error:
                self.broken(error)

    def close(self, stamp: Stamp) -> None:
        """Keep what was not acknowledged, declare the little that cannot be kept, and close."""
        if self._lanes is None or self._engine is None or self._memory is None or self._outbox is None:
            return
        epoch = self._engine.states.epoch
        unsure = self._engine.states.lost()
        losses = [Loss(epoch=epoch, span=span, reason=GapReason.RESTART) for span in unsure]
        try:
            is_kept = self._lanes.declare(losses, stamp)
            if self._lanes.spill(stamp, everything=True) and is_kept:
                self._memory.end()
        except (OutboxUnusable, StateUnusable) as error:
            LOG.warning("the outbox was closed without order: %s", error)
        self._outbox.close()
        self._lanes = self._engine = None

    # --- what others ask ---------------------------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The engine; only to be asked for while the outbox is open."""
        assert self._engine is not None  # see above
        return self._engine

    @property
    def memory(self) -> Memory:
        """The facts; only to be asked for while the outbox is open."""
        assert self._memory is not None  # see above
        return self._memory

    @property
    def is_welcome(self) -> bool:
        """Whether the controller answers."""
        return self._engine is not None and self._engine.is_welcome

    @property
    def answered_at(self) -> float | None:
        """When the controller last answered, by the clock that only grows."""
        return self._engine.answered_at if self._engine is not None else None

    @property
    def points(self) -> int:
        """How many samples wait in memory."""
        return self._lanes.samples.count if self._lanes is not None else 0

    @property
    def dropped(self) -> int:
        """How many messages were dropped since the agent started."""
        return self._dropped + (self._lanes.dropped if self._lanes is not None else 0)

    def waiting(self) -> room.Totals:
        """Return how many messages wait in each lane, and their bytes; samples whose answer nobody expects yet do not."""
        if self._lanes is None:
            return {Lane.EVENT: (len(self._early), sum(len(body) for _, body in self._early))}
        totals = dict(self._lanes.waiting())
        if self._engine is not None and self._engine.flights.unhurried and Lane.METRIC in totals:
            count, size = totals[Lane.METRIC]
            totals[Lane.METRIC] = (max(0, count - self._engine.flights.unhurried), size)
        return totals

    def limit(self) -> int:
        """Return how many bytes the lanes may take together."""
        totals = self.waiting()
        return sum(room.cap(lane, totals, self._free_bytes) for lane in room.CAPS)
