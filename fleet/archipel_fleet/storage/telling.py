"""What becomes history: events, gaps, samples, changes of health; at the time at which they happened. Part of a batch."""

import math
from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from archipel_contract.link import epochs
from archipel_contract.link.messages import METRIC_NAMES, Event, EventKind, Gap, Metrics
from archipel_fleet.domain.contact import HOUR
from archipel_fleet.domain.reckoning import EARLIEST, Told, reckoned
from archipel_fleet.domain.sequences import Range
from archipel_fleet.ports import Arrival
from archipel_fleet.storage import bulk, schema
from archipel_fleet.storage.rows import HEALTHS, Epoch, Node

POINTS_LIMIT = 1 << 17  # characters of one node's hour: a point every second fits twice
KEPT_DAYS = 400
OFFSET_LIMIT = 1e10  # seconds

_EVENTS = bulk.upsert(
    schema.events,
    ("node_id", "epoch", "sequence", "customer", "site_id", "at", "sure", "received", "kind", "payload"),
    ("node_id", "epoch", "sequence"),
    "NOTHING",
)
_GAPS = bulk.upsert(
    schema.gaps,
    ("node_id", "epoch", "first", "last", "customer", "site_id", "reason", "count", "received"),
    ("node_id", "epoch", "first"),
)
_METRICS = bulk.upsert(
    schema.metrics,
    ("customer", "node_id", "hour", "points"),
    ("customer", "node_id", "hour"),
    f"UPDATE SET points = metrics.points || excluded.points WHERE length(metrics.points) < {POINTS_LIMIT}",
)
_HEALTH = bulk.upsert(
    schema.health_points,
    ("site_id", "node_id", "at", "epoch", "sequence", "customer", "state"),
    ("site_id", "node_id", "at", "epoch", "sequence"),
)


class History:
    """Collects the rows of a batch."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._events: list[tuple[Any, ...]] = []
        self._gaps: dict[tuple[str, int, int], tuple[Any, ...]] = {}
        self._metrics: defaultdict[tuple[str, str, int], list[str]] = defaultdict(list)
        self._health: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def reckoned(self, node: Node, epoch: Epoch, arrival: Arrival) -> tuple[int, bool]:
        """Return when a message was made, on our clock, and whether that is sure."""
        envelope = arrival.envelope
        later = _order(envelope.epoch, envelope.sequence) > _order(node.told_epoch, node.told_sequence)
        floor = node.told_at if later else None
        return reckoned(Told(envelope.at, envelope.clock, envelope.up), arrival.received, epoch.booted, floor)

    def event(self, node: Node, epoch: Epoch, arrival: Arrival) -> None:
        """Keep an event, and what it tells of the node's health."""
        body: Event = arrival.body
        envelope = arrival.envelope
        at, sure = self.reckoned(node, epoch, arrival)
        self._events.append(
            (
                node.node_id, envelope.epoch, envelope.sequence, node.customer, node.site_id, at, sure,
                arrival.received, str(body.kind), arrival.payload,
            )
        )  # fmt: skip
        newest = _order(envelope.epoch, envelope.sequence) > _order(node.told_epoch, node.told_sequence)
        if newest:
            node.told_epoch, node.told_sequence, node.told_at = envelope.epoch, envelope.sequence, at
        if body.kind is EventKind.HEALTH_CHANGED and body.after in HEALTHS:
            self._health_point(node, arrival, at, body.after)
            if newest:
                node.change_to, node.change_at = body.after, at
                if node.health == body.after:
                    node.health_since = at

    def health_became(self, node: Node, arrival: Arrival, at: int) -> None:
        """Keep that a state showed another health than the one before."""
        self._health_point(node, arrival, at, node.health)

    def _health_point(self, node: Node, arrival: Arrival, at: int, state: str) -> None:
        key = (node.site_id, node.node_id, at, arrival.envelope.epoch, arrival.envelope.sequence)
        self._health[key] = (*key, node.customer, state)

    def gap(self, node: Node, target: Epoch, gap: Gap, received: int) -> None:
        """Keep what a node declares lost, less what arrived; it counts as done from now on."""
        pieces = target.done.missing(gap.first, gap.last or schema.OPEN_END)
        for first, last in pieces:
            count = gap.count if len(pieces) == 1 and gap.count else _size((first, last))
            self._gap_row(node, target.epoch, (first, last), str(gap.reason), count, received)
            target.lost.add(first, last)
        for first, last in pieces:
            target.done.add(first, last)
        target.top = max(target.top, gap.last or gap.first - 1)

    def _gap_row(self, node: Node, epoch: int, span: Range, reason: str, count: int, received: int) -> None:
        first, last = span
        self._gaps[node.node_id, epoch, first] = (
            node.node_id, epoch, first, last, node.customer, node.site_id, reason, min(count, schema.OPEN_END), received,
        )  # fmt: skip

    def found_after_all(self, node: Node, epoch: int, sequence: int) -> None:
        """Take a message that arrived out of the gap that covered it."""
        self._flush_gaps()
        gaps = schema.gaps
        covering = sa.and_(
            gaps.c.node_id == node.node_id,
            gaps.c.epoch == epoch,
            gaps.c.first <= sequence,
            gaps.c.last >= sequence,
        )
        for row in self._connection.execute(sa.select(gaps).where(covering)).fetchall():
            self._connection.execute(sa.delete(gaps).where(covering, gaps.c.first == row.first))
            for span in ((row.first, sequence - 1), (sequence + 1, row.last)):
                if span[0] <= span[1]:
                    self._gap_row(node, epoch, span, row.reason, _size(span), row.received)

    def metrics(self, node: Node, epoch: Epoch, arrival: Arrival) -> None:
        """Keep samples, by the hour; their times are moved by as much as the message's own time is off."""
        body: Metrics = arrival.body
        at, _ = self.reckoned(node, epoch, arrival)
        start = body.start + at - arrival.envelope.at
        oldest = max(EARLIEST, arrival.received - KEPT_DAYS * 24 * HOUR)
        for point in body.points:
            if not point or point[0] is None or not -OFFSET_LIMIT < point[0] < OFFSET_LIMIT:
                continue  # not a number, or no time of this age
            moment = start + int(point[0] * 1000)
            if oldest <= moment <= arrival.received + HOUR:
                hour = moment // HOUR
                self._metrics[node.customer, node.node_id, hour].append(
                    _line(moment - hour * HOUR, point[1:])
                )

    def _flush_gaps(self) -> None:
        bulk.write(self._connection, _GAPS, list(self._gaps.values()))
        self._gaps = {}

    def flush(self) -> None:
        """Write everything."""
        bulk.write(self._connection, _EVENTS, self._events)
        self._flush_gaps()
        bulk.write(
            self._connection, _METRICS, [(*key, "".join(lines)) for key, lines in self._metrics.items()]
        )
        bulk.write(self._connection, _HEALTH, list(self._health.values()))


def _order(epoch: int, sequence: int) -> tuple[int, int, int]:
    """Return the place of a message in its node's own order: by start, then by sequence."""
    return (epochs.counter_of(epoch), epoch, sequence)


def _size(span: Range) -> int:
    return 0 if span[1] >= schema.OPEN_END else span[1] - span[0] + 1


def _line(offset: int, values: tuple[float | None, ...]) -> str:
    """Return a point as text: milliseconds into the hour, then a value for each column, `-` for none."""
    shown = (
        "-" if one is None or not math.isfinite(one) else f"{one:.6g}" for one in values[: len(METRIC_NAMES)]
    )
    return f"{offset} {' '.join(shown)}\n"
