"""Chunks: points of samples that travel as one message. Pure; used by `lanes`.

Offline, points are gathered in memory and go to the disk a dozen at a time, into one row for a day: a card is written once
an hour, and a day of silence is caught up with in one message.
"""

from dataclasses import replace

from archipel_agent.link.entries import Entry, Stamp, body_of
from archipel_agent.link.sampler import joined
from archipel_contract.link.messages import Metrics
from archipel_contract.wire import from_json

SPILL_POINTS = 12
LONGEST_POINTS = 288  # a day of points every five minutes
LONGEST_SECONDS = 2 * 86400  # a jump of the clock must not make a chunk span years


class Samples:
    """The chunk in memory that is no message yet."""

    def __init__(self) -> None:
        self._chunk: tuple[Stamp, Metrics] | None = None

    @property
    def count(self) -> int:
        """How many points wait to become a message."""
        return len(self._chunk[1].points) if self._chunk else 0

    def add(self, point: Metrics, stamp: Stamp) -> tuple[Stamp, Metrics] | None:
        """Take in a point; returns the chunk before it where it does not fit."""
        full = None
        if self._chunk is not None and not fits(self._chunk[1], point):
            full = self.take()
        if self._chunk is None:
            self._chunk = stamp, point
        else:
            self._chunk = self._chunk[0], joined((self._chunk[1], point))
        return full

    def take(self) -> tuple[Stamp, Metrics] | None:
        """Return the chunk, which begins anew."""
        chunk, self._chunk = self._chunk, None
        return chunk


def fits(chunk: Metrics, more: Metrics) -> bool:
    """Whether `more` can be said in the same message, after what `chunk` has."""
    last = chunk.start + 1000 * (chunk.points[-1][0] or 0)
    in_order = last <= more.start <= chunk.start + 1000 * LONGEST_SECONDS
    return in_order and len(chunk.points) + len(more.points) <= LONGEST_POINTS


def grown(entry: Entry, more: Metrics) -> Entry | None:
    """Return the entry with `more` points at its end; None where they do not fit."""
    chunk = from_json(Metrics, entry.body)
    return replace(entry, body=body_of(joined((chunk, more)))) if fits(chunk, more) else None
