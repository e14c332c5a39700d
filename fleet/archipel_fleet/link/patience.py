"""Acknowledgements of samples that may wait, because their node said for how long it does (`LinkPlan.patience`).

Used by the ingest in its thread. An answer to each point would cost a metered link as much as the point; so the newest
acknowledgement, which covers all before it, is kept until the node is answered anyway or its patience is nearly over.
What is kept here is lost with the process: the node then sends its samples again, and is answered at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import EpochAck, Hello
from archipel_contract.status import LinkMode
from archipel_fleet.ports import Arrival, Taken

SHARE = 0.9  # of a node's patience; the rest is for the way
LONGEST = 86_400  # seconds; whoever claims more patience is answered as if it were this


@dataclass(slots=True)
class _Kept:
    since: float
    shard: int
    acks: dict[int, EpochAck] = field(default_factory=dict)  # by epoch


class Patience:
    """What may wait, by node."""

    def __init__(self) -> None:
        self._patient: dict[str, int] = {}  # node id -> seconds
        self._kept: dict[str, _Kept] = {}

    def heard(self, arrivals: Iterable[Arrival]) -> None:
        """Take note of how patient the nodes are whose hello is among these."""
        for one in arrivals:
            if not isinstance(one.body, Hello):
                continue
            plan = one.body.plan
            self._kept.pop(one.node_id, None)  # a new connection: it sends again what was not acknowledged
            if plan.mode is LinkMode.ALWAYS_ON and plan.patience > 0:
                self._patient[one.node_id] = min(plan.patience, LONGEST)
            else:
                self._patient.pop(one.node_id, None)

    def sorted(self, taken: Taken, shards: dict[str, int], now: float) -> Taken:
        """Return what is to be said now: without acknowledgements that may wait, and with those that have waited for nodes
        which are answered anyway. `now` is seconds that only grow.
        """
        acks: dict[str, tuple[EpochAck, ...]] = {}
        for node_id, said in taken.acks.items():
            is_answered = node_id in taken.welcomes or node_id in taken.asks
            if node_id in self._patient and not is_answered and all(map(_is_of_samples, said)):
                kept = self._kept.setdefault(node_id, _Kept(now, shards[node_id]))
                kept.acks.update({one.epoch: one for one in said})
                continue
            waited = self._kept.pop(node_id, None)
            fresh = {one.epoch: one for one in said}
            acks[node_id] = tuple(({**waited.acks, **fresh} if waited else fresh).values())
        return replace(taken, acks=acks)

    def due(self, now: float) -> tuple[Taken, dict[str, int]]:
        """Return the acknowledgements whose time has come, and the shards of their nodes."""
        over = {
            node_id: kept
            for node_id, kept in self._kept.items()
            if now - kept.since >= SHARE * self._patient.get(node_id, 0)
        }
        for node_id in over:
            del self._kept[node_id]
        acks = {node_id: tuple(kept.acks.values()) for node_id, kept in over.items()}
        return Taken(acks=acks), {node_id: kept.shard for node_id, kept in over.items()}


def _is_of_samples(ack: EpochAck) -> bool:
    return lane_of(ack.epoch) is Lane.METRIC
