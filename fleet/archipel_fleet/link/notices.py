"""What the controller has to say about itself and about messages it refused, as findings, for whoever shows them.

Filled by the ingest and the sweeper, read by API and pages from any thread; kept in memory, since all of it is true only as
long as this process runs. What nodes say of themselves is in the store.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import structlog

from archipel_contract import catalogue
from archipel_contract.findings import Finding, Severity
from archipel_fleet.link.check import Refused
from archipel_fleet.link.senders import UNPROVEN, UNPROVEN_CODE
from archipel_fleet.records import FindingRow

REFUSALS_SHOWN_SECONDS = 3600
SENDERS = 1000  # of refused messages; the one refused longest ago is forgotten first
LOG_EVERY_SECONDS = 10.0  # for each reason


@dataclass(slots=True)
class _Refusals:
    count: int
    code: str
    detail: str
    topic: str
    at: int


class Notices:
    """Findings of the controller that hold now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, FindingRow] = {}
        self._refused: OrderedDict[str, _Refusals] = OrderedDict()
        self._logged: dict[str, float] = {}
        self._passed_over: dict[str, int] = {}
        self._log = structlog.get_logger("archipel_fleet.link")

    def hold(self, code: str, now: int, **params: str) -> None:
        """Show finding `code` until `clear`; it keeps the time it was first held. `now` is milliseconds since 1970."""
        with self._lock:
            before = self._held.get(code)
            since = before.heard if before is not None else now
            self._held[code] = FindingRow(finding=_finding(code, params), heard=since, by_controller=True)
        if before is None:
            self._log.warning("finding", code=code, **params)

    def clear(self, *codes: str) -> None:
        """Show these findings no longer."""
        with self._lock:
            gone = [code for code in codes if self._held.pop(code, None) is not None]
        for code in gone:
            self._log.info("finding cleared", code=code)

    def clear_all(self, prefix: str) -> None:
        """Show no finding any longer whose code begins with `prefix`."""
        self.clear(*[code for code in tuple(self._held) if code.startswith(prefix)])

    def refused(self, refused: Refused, topic: str, now: int, monotonic: float) -> None:
        """Note a refused message for the node it came from; log it, but each reason only every LOG_EVERY_SECONDS."""
        with self._lock:
            before = self._refused.pop(refused.node_id, None)
            count = (before.count if before is not None else 0) + 1
            self._refused[refused.node_id] = _Refusals(count, refused.code, refused.detail, topic[:160], now)
            if len(self._refused) > SENDERS:
                self._refused.popitem(last=False)
        if monotonic - self._logged.get(refused.code, -LOG_EVERY_SECONDS) < LOG_EVERY_SECONDS:
            self._passed_over[refused.code] = self._passed_over.get(refused.code, 0) + 1
            return
        self._logged[refused.code] = monotonic
        self._log.warning(
            "message refused",
            reason=refused.code,
            topic=topic[:160],
            detail=refused.detail[:240],
            not_logged=self._passed_over.pop(refused.code, 0),
        )

    def rows(self, now: int) -> tuple[FindingRow, ...]:
        """Return what holds, the controller's own first, then refusals of the last hour by node."""
        oldest = now - REFUSALS_SHOWN_SECONDS * 1000
        with self._lock:
            held = list(self._held.values())
            refused = [(node_id, one) for node_id, one in self._refused.items() if one.at >= oldest]
        return (*held, *(_row(node_id, one) for node_id, one in refused))

    def about(self, node_id: str, now: int) -> tuple[FindingRow, ...]:
        """Return what holds of one node; costs the same however many others there are."""
        with self._lock:
            held = tuple(row for row in self._held.values() if row.node_id == node_id)
            one = self._refused.get(node_id)
        fresh = one is not None and one.at >= now - REFUSALS_SHOWN_SECONDS * 1000
        return (*held, _row(node_id, one)) if one is not None and fresh else held


def _row(node_id: str, refusals: _Refusals) -> FindingRow:
    params = {
        "node": node_id or "?",
        "count": str(refusals.count),
        "reason": refusals.code,
        "detail": refusals.detail[:160],
        "topic": refusals.topic,
    }
    code = UNPROVEN_CODE if refusals.code in UNPROVEN else "fleet-messages-refused"
    return FindingRow(
        finding=_finding(code, params),
        node_id=node_id,
        heard=refusals.at,
        by_controller=True,
    )


def _finding(code: str, params: dict[str, str]) -> Finding:
    try:
        return catalogue.finding(code, (), None, **params)
    except catalogue.CodeUnknown:
        return Finding(
            code=code, severity=Severity.PROBLEM, params=params, summary=params.get("detail", code)
        )
