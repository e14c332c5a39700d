"""What the link remembers in the state database: the counter of starts, open epochs, connections, the controller's life.

Everything here is durable before it is used (the database commits with FULL), and is written rarely: two commits at a
start, one for every 64 connections. Used by `opening` and `link`.
"""

import json
from dataclasses import dataclass
from typing import Protocol

from archipel_agent.ports import Entropy
from archipel_contract.link.epochs import Lane, counter_of, lane_of, new_epoch

CONNECTIONS_AT_ONCE = 64  # connection numbers taken from the disk at a time
CLOSED_KEPT = 200  # epochs of results and events of which nothing waits any more


class Facts(Protocol):
    """What `state.store.Store` offers for single facts; raises StateUnusable."""

    def value(self, name: str) -> str | None:
        """Return one fact."""
        ...

    def keep(self, **facts: str | None) -> None:
        """Keep several at once, durably."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """The epochs of this node as far as they matter.

    `open`: of starts that were never closed, so of memory lanes anything may be missing. `waiting`: closed, but some of
    it was still in the outbox at the last start. `closed`: nothing waits; only a restored controller could ask for it.
    """

    open: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    has_outbox: bool = False  # whether there was an outbox after the last start


class Memory:
    """The facts of the link."""

    def __init__(self, facts: Facts, entropy: Entropy) -> None:
        self._facts, self._entropy = facts, entropy
        self._connection = self._number("link_connection")
        self._reserved = self._connection
        self._counter = 0
        self._used = False
        self._before: Epochs | None = None
        self.epochs: dict[Lane, int] = {}

    def begun(self) -> None:
        """The new epochs are in use: the next `begin` takes others."""
        self._before = None

    def begin(self) -> Epochs:
        """Raise the counter and take new epochs; returns what was known before. Raises StateUnusable.

        Once more before `settle` nothing is raised: the epochs were not used.
        """
        if self._before is not None:
            return self._before
        before = self._read()
        counter = self._number("link_counter") + 1
        epochs = {lane: new_epoch(counter, lane, self._entropy.bytes) for lane in Lane}
        known = {"open": [*before.open, *epochs.values()], "waiting": before.waiting, "closed": before.closed}
        self._facts.keep(
            link_counter=str(counter), link_epochs=json.dumps({**known, "has_outbox": before.has_outbox})
        )
        self._counter, self.epochs, self._used, self._before = counter, epochs, False, before
        return before

    def settle(self, waiting: tuple[int, ...], closed: tuple[int, ...]) -> None:
        """All earlier epochs are dealt with: `waiting` have something in the outbox. Raises StateUnusable."""
        durable = sorted({one for one in closed if lane_of(one) < Lane.STATE} - set(waiting))[-CLOSED_KEPT:]
        known = {"open": list(self.epochs.values()), "waiting": sorted(set(waiting)), "closed": durable}
        self._facts.keep(link_epochs=json.dumps({**known, "has_outbox": True}))

    def end(self) -> None:
        """The agent ends in order, and of its memory lanes nothing is missing that was not said. Raises StateUnusable."""
        known = self._read()
        own = set(self.epochs.values())
        stays = [one for one in known.open if one not in own or lane_of(one) < Lane.STATE]
        waiting = [*known.waiting, *(one for one in own if lane_of(one) is Lane.METRIC)]
        self._facts.keep(
            link_epochs=json.dumps(
                {"open": stays, "waiting": waiting, "closed": known.closed, "has_outbox": True}
            )
        )

    def _read(self) -> Epochs:
        try:
            known = json.loads(self._facts.value("link_epochs") or "{}")
        except ValueError:
            known = {}
        lists = {name: tuple(map(int, known.get(name, ()))) for name in ("open", "waiting", "closed")}
        return Epochs(**lists, has_outbox=bool(known.get("has_outbox")))

    def use(self) -> None:
        """Note, once in a start, that an epoch of a memory lane is used. Raises StateUnusable."""
        if not self._used:
            self._facts.keep(link_used=str(self._counter))
            self._used = True

    def was_used(self, epoch: int) -> bool:
        """Whether an epoch of a memory lane may have been used in an earlier start."""
        return counter_of(epoch) <= self._number("link_used")

    def next_connection(self) -> int:
        """Return a connection number that was never used. Raises StateUnusable."""
        if self._connection >= self._reserved:
            self._facts.keep(link_connection=str(self._connection + CONNECTIONS_AT_ONCE))
            self._reserved = self._connection + CONNECTIONS_AT_ONCE
        self._connection += 1
        return self._connection

    @property
    def shard(self) -> int | None:
        """The shard under which the broker keeps this node's presence; None before the first connection."""
        text = self._facts.value("link_shard")
        return None if text is None else int(text)

    @shard.setter
    def shard(self, shard: int) -> None:
        self._facts.keep(link_shard=str(shard))

    @property
    def incarnation(self) -> str:
        """The life of the controller's database that this node last heard a welcome from."""
        return self._facts.value("link_incarnation") or ""

    @incarnation.setter
    def incarnation(self, incarnation: str) -> None:
        self._facts.keep(link_incarnation=incarnation)

    def _number(self, name: str) -> int:
        text = self._facts.value(name)
        return int(text) if text and text.isdigit() else 0
