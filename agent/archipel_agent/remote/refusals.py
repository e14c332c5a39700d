"""What was refused of what came from above: counted, and told in few words, so that a hostile broker cannot fill anything.

Pure but for the clock it is given. The first refusal for a reason is told at once; those after it once an hour, with their
number. Called by `desk`.
"""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from archipel_agent.host.clock import text
from archipel_agent.ports import Clock
from archipel_contract.link.messages import Event, EventKind
from archipel_contract.status import RefusedOrders

TELL_SECONDS = 3600.0
SHOWN_SECONDS = 86400.0  # for how long a refusal is a finding on the device
CODES_LIMIT = 32  # there are fewer; what is beyond is counted under one name
OTHER = "message-foreign"
DETAIL_LIMIT = 200


@dataclass(slots=True)
class _Reason:
    count: int = 0
    untold: int = 0
    told_at: float | None = None
    last_at: float = 0.0
    last_wall: datetime = datetime.fromtimestamp(0, UTC)
    kind: str = ""
    detail: str = ""


class Refusals:
    """Counts by reason; calls may come from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reasons: dict[str, _Reason] = {}

    def note(self, kind: str, code: str, detail: str) -> Event | None:
        """Count one refusal; return what is to be told of it now, None for nothing."""
        now = self._clock.monotonic()
        with self._lock:
            if code not in self._reasons and len(self._reasons) >= CODES_LIMIT:
                code = OTHER
            reason = self._reasons.setdefault(code, _Reason())
            reason.count += 1
            reason.untold += 1
            reason.last_at, reason.last_wall = now, self._clock.now()
            reason.kind, reason.detail = kind, detail[:DETAIL_LIMIT]
            return self._due(code, reason, now)

    def due(self) -> tuple[Event, ...]:
        """Return what is to be told by now of refusals that were only counted."""
        now = self._clock.monotonic()
        with self._lock:
            found = [self._due(code, one, now) for code, one in self._reasons.items() if one.untold]
        return tuple(one for one in found if one is not None)

    def _due(self, code: str, reason: _Reason, now: float) -> Event | None:
        if reason.told_at is not None and now - reason.told_at < TELL_SECONDS:
            return None
        params = {"count": str(reason.untold), **({"kind": reason.kind} if reason.kind else {})}
        reason.told_at, reason.untold = now, 0
        return Event(kind=EventKind.ORDER_REFUSED, subject=code, text=reason.detail, params=params)

    def lately(self) -> tuple[RefusedOrders, ...]:
        """Return what was refused within a day, by reason."""
        now = self._clock.monotonic()
        with self._lock:
            return tuple(
                RefusedOrders(code=code, count=one.count, last_at=text(one.last_wall), detail=one.detail)
                for code, one in sorted(self._reasons.items())
                if now - one.last_at < SHOWN_SECONDS
            )
