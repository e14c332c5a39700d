"""The audit journal of this machine: who did what, from the local socket or from the fleet. Kept with or without a fleet.

Called by `core` for what is done here and by `remote` for what is ordered from afar; `remote` sends it on. An entry that
cannot be kept (a full disk) does not keep anybody from repairing the machine: it is in the agent's log then.
"""

import logging
from collections.abc import Callable, Iterator

from archipel_agent.ports import Clock
from archipel_agent.redact import redact
from archipel_agent.state.audit import AuditStore
from archipel_agent.state.database import StateUnusable
from archipel_contract.api import AuditPage
from archipel_contract.audit import ChainBroken, ChainHead, Entry, followed
from archipel_contract.facts import ClockQuality

LOG = logging.getLogger(__name__)
AGENT = "agent"
BATCH = 500  # entries read at once when the chain is verified
PARAM_LIMIT = 200  # characters


def _nobody() -> None:
    """Nobody waits for entries."""


class Journal:
    """Appends, reads and verifies; calls may come from any thread."""

    def __init__(self, store: AuditStore, clock: Clock, quality: Callable[[], ClockQuality]) -> None:
        """`quality` says how far the clock can be trusted now."""
        self._store, self._clock, self._quality = store, clock, quality
        self.when_noted: Callable[[], None] = _nobody
        """Called after each entry, from whatever thread made it."""

    def note(self, actor: str, action: str, outcome: str = "", detail: str = "", **params: str) -> None:
        """Append one entry; on disk when this returns. What looks like a secret is removed."""
        entry = Entry(
            number=0,
            at=int(self._clock.now().timestamp() * 1000),
            clock=self._quality(),
            actor=_clean(actor),
            action=_clean(action),
            outcome=_clean(outcome),
            detail=redact(detail),
            params={name: _clean(redact(text)) for name, text in params.items()},
        )
        try:
            self._store.append(entry)
        except StateUnusable as error:
            LOG.error("not in the audit journal, %s: %s %s %s", error, actor, action, outcome)
        self.when_noted()

    def head(self) -> ChainHead:
        """Return where the chain ends; raise StateUnusable."""
        return self._store.head()

    def after(self, number: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` entries beyond `number`, oldest first; raise StateUnusable."""
        return self._store.after(number, limit)

    def fleet_has(self, count: int) -> None:
        """Note how many entries the fleet has; raise StateUnusable."""
        self._store.fleet_has(count)

    def page(self, limit: int, verify: bool) -> AuditPage:
        """Return the last `limit` entries, and with `verify` whether the whole chain holds; raise StateUnusable."""
        head = self._store.head()
        entries = self._store.after(head.count - limit, limit)
        if not verify:
            return AuditPage(head=head, entries=entries)
        broken, detail = self._verified(head)
        return AuditPage(head=head, entries=entries, verified=not detail, broken=broken, detail=detail)

    def _verified(self, head: ChainHead) -> tuple[int, str]:
        """Return the first entry that does not fit, and why; 0 and nothing where all do."""
        at: ChainHead | None = None
        try:
            for batch in self._batches():
                at = followed(at or ChainHead(count=batch[0].number - 1, hash=batch[0].before), batch)
        except ChainBroken as error:
            return error.number, str(error)
        ends = at or ChainHead()
        if ends != head:
            return ends.count + 1, f"the journal ends with entry {ends.count}, its head is entry {head.count}"
        return 0, ""

    def _batches(self) -> Iterator[tuple[Entry, ...]]:
        at = 0
        while batch := self._store.after(at, BATCH):
            yield batch
            at = batch[-1].number


def _clean(text: str) -> str:
    return text[:PARAM_LIMIT]
