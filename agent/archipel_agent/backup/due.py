"""When the next backup is due. Looked at in every turn, and next to nothing while nothing is due.

The wall clock is asked once, at the agent's start: how long ago the last backup was made. From then on only seconds that
grow count, so that a clock which jumps neither skips a backup nor makes a heap of them. What was missed is made up once.
"""

import hashlib
from datetime import datetime

from archipel_agent.backup import record
from archipel_agent.checks.base import BackupSeen
from archipel_agent.ports import Clock
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store

SPREAD = 0.1  # sites of one fleet, switched on together, do not all send at once
LONGEST_SPREAD_SECONDS = 600.0
AGAIN_SECONDS = (300.0, 3600.0)  # after a try that failed
OVERDUE = 2.0  # times the planned interval


class Schedule:
    """When this machine's next backup is due."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, node_id: str) -> None:
        """Go by `settings.backup_every`; nothing is ever due without `backup_to`."""
        self._every = settings.backup_every if settings.backup_to else 0.0
        self._place = settings.backup_to
        self._store, self._clock, self._node_id = store, clock, node_id
        made = record.last(store) if self._every else None
        self._known = made.sequence if made else 0
        self._made = clock.monotonic() - (self._ago(made) if made else 0.0)
        self._begun: float | None = (
            None  # when the last one was begun here, until it is known to have arrived
        )
        left = self._every - (clock.monotonic() - self._made) if made else 0.0
        self._next = clock.monotonic() + max(left, 0.0) + self._jitter()

    def is_due(self) -> bool:
        """Whether a backup should begin now."""
        if not self._every or self._clock.monotonic() < self._next:
            return False
        made = record.last(self._store)
        if made is None or made.sequence <= self._known:
            return True
        # One has arrived since: the one that was begun here, or one by hand, of which only the present is known.
        now = self._clock.monotonic()
        self._known, self._made = made.sequence, now if self._begun is None else self._begun
        self._begun = None
        self._next = self._made + self._every + self._jitter()
        return now >= self._next

    def begun(self) -> None:
        """A backup was begun; should it fail, it is tried again sooner than the next is due."""
        least, most = AGAIN_SECONDS
        self._begun = self._clock.monotonic()
        self._next = self._begun + min(max(self._every / 8, least), most, self._every)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the next look, None where none is planned."""
        return max(self._next - self._clock.monotonic(), 0.0) if self._every else None

    @property
    def is_overdue(self) -> bool:
        """Whether none has arrived for twice the time it should take, counted from the agent's start if there is none."""
        if not self._every or self._clock.monotonic() - self._made < self._every * OVERDUE:
            return False
        made = record.last(self._store)
        return made is None or made.sequence <= self._known

    def seen(self) -> BackupSeen:
        """Return how backups stand, for the check."""
        if not self._every:
            return BackupSeen(planned=False)
        made, trouble = record.last(self._store), record.problem(self._store)
        return BackupSeen(
            last=made.at if made else "",
            overdue=self.is_overdue,
            code=trouble.code if trouble else "",
            problem=trouble.problem if trouble else "",
            place=self._place,
            drilled=record.drilled(self._store) is not None,
        )

    def _ago(self, made: record.Made) -> float:
        """Return how long ago one was made; a time that lies ahead says nothing, and the wait begins anew."""
        return max((self._clock.now() - datetime.fromisoformat(made.at)).total_seconds(), 0.0)

    def _jitter(self) -> float:
        word = f"{self._node_id} {record.sequence(self._store)}".encode()
        share = int.from_bytes(hashlib.sha256(word).digest()[:4]) / 0x1_0000_0000
        return share * min(self._every * SPREAD, LONGEST_SPREAD_SECONDS)
