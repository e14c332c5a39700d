"""Sends the audit journal to the fleet: what comes after the entries it has, in batches. Used by `worker`.

How many the fleet has it says in each welcome. What is in the outbox already is not offered again while that waits there.
"""

import threading

from archipel_agent.journal import Journal
from archipel_agent.ports import Clock
from archipel_agent.remote.parts import Teller
from archipel_contract.audit import AuditEntries, Entry
from archipel_contract.wire import to_json

BATCH = 100
BATCH_BYTES = 32 << 10
GATHER_SECONDS = 2.0  # entries come in pairs, an order and its result: one message for both
RETRY_SECONDS = 30.0


class AuditReporter:
    """Remembers how far the journal was said."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._lock = threading.Lock()
        self._heard: int | None = None  # what the last welcome said, until it was dealt with
        self._offered: int | None = None  # None before the first welcome: nobody listens yet
        self._noted_at = clock.monotonic()

    def welcomed(self, count: int) -> None:
        """The fleet has `count` entries."""
        with self._lock:
            self._heard = count

    def noted(self) -> None:
        """The journal has grown."""
        self._noted_at = self._clock.monotonic()

    def step(self, teller: Teller, at_once: bool = False) -> float | None:
        """Say what there is to say; return in how many seconds to come again, None for no need. Raises StateUnusable."""
        with self._lock:
            heard, self._heard = self._heard, None
        if heard is not None:
            self._journal.fleet_has(heard)
            if self._offered is None or heard > self._offered or not teller.results()[0]:
                self._offered = heard
        if self._offered is None or self._journal.head().count <= self._offered:
            return None
        rest = GATHER_SECONDS - (self._clock.monotonic() - self._noted_at)
        if rest > 0 and not at_once:
            return rest
        while batch := _fitting(self._journal.after(self._offered, BATCH)):
            if not teller.say(AuditEntries(entries=batch)):
                return RETRY_SECONDS
            self._offered = batch[-1].number
        return None


def _fitting(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return as many entries as one message should hold, at least one."""
    size = 0
    found: list[Entry] = []
    for one in entries:
        size += len(to_json(one))
        if found and size > BATCH_BYTES:
            break
        found.append(one)
    return tuple(found)
