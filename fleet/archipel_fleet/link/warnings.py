"""Messages that are not proven to be from their node, written into that node's timeline: few of each, however many come.

Filled and emptied by the ingest in its thread. Anybody at the broker can send such messages in any node's name, so what is
written is bounded: one line for each node and reason in an hour, and HOURLY lines in all.
"""

from collections import OrderedDict

from archipel_fleet.link.check import Refused
from archipel_fleet.link.senders import UNPROVEN, UNPROVEN_CODE
from archipel_fleet.link.surroundings import Surroundings
from archipel_fleet.ports import Note, StoreFailed

HOUR_SECONDS = 3600.0
HOURLY = 200
REMEMBERED = 10_000


class Warnings:
    """See the module."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._waiting: list[Note] = []
        self._hour = float("-inf")
        self._lines = 0

    def note(self, refused: Refused, monotonic: float) -> None:
        """Have a refusal written, if it is one of this kind and the first of its hour."""
        if refused.code not in UNPROVEN or not refused.node_id:
            return
        if monotonic - self._hour >= HOUR_SECONDS:
            self._hour, self._lines = monotonic, 0
        key = (refused.node_id, refused.code)
        if monotonic - self._noted.get(key, float("-inf")) < HOUR_SECONDS or self._lines >= HOURLY:
            return
        self._noted[key] = monotonic
        self._noted.move_to_end(key)
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        self._lines += 1
        detail = f"{refused.detail} ({refused.code})"
        self._waiting.append(Note(node_id=refused.node_id, code=UNPROVEN_CODE, detail=detail))

    def write(self) -> None:
        """Write what waits; what the database refuses now is written next time."""
        if not self._waiting:
            return
        around = self._around
        try:
            sites = around.store.noted(self._waiting, around.clock.now())
        except StoreFailed as error:
            around.measures.store_failures.labels(error.code).inc()
            return
        self._waiting = []
        if sites:
            around.changed(sites)
