"""The desk at which everything from above arrives: implements `link.identity.LinkIdentity` over the device's keys.

It says who this device is, lets only the fleet's own words through, and passes orders on to `intake`. What is refused it
counts, so that a hostile broker can fill neither the outbox nor the journal.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from archipel_agent.remote.intake import Intake, floor_of, told
from archipel_agent.remote.parts import RemoteParts, Teller
from archipel_agent.remote.refusals import Refusals
from archipel_agent.remote.worker import Worker
from archipel_agent.state.database import StateUnusable
from archipel_contract.audit import ChainHead
from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import (
    Frame,
    Signs,
    only_unsigned,
)
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import Ack, Hello, Kind
from archipel_contract.status import OrdersStatus
from archipel_contract.trust import orders
from archipel_contract.trust.store import NotTrusted
from archipel_contract.trust_document import TALK

LOG = logging.getLogger(__name__)
LINGER_SECONDS = 2.0  # orders leave the controller right behind its welcome
BUSY_SECONDS = 3600.0  # longer than any call: the call's own limits end it


class OrderDesk:
    """See the module. Calls come from the link's thread, but for `status`."""

    def __init__(self, parts: RemoteParts) -> None:
        self._parts = parts
        self._refusals = Refusals(parts.ports.clock)
        self._worker = Worker(parts, self._leave)
        self._teller: Teller | None = None
        self._intake = Intake(parts, self._worker)
        parts.journal.when_noted = self._noted

    def start(self, teller: Teller, in_thread: bool = True) -> None:
        """Answer what a power cut left, and begin to take orders; `teller` is the link. Never fails."""
        self._teller = teller
        self._worker.begin(teller, in_thread)

    def stop(self) -> None:
        """End."""
        self._worker.stop()

    @property
    def worker(self) -> Worker:
        """Who does the orders."""
        return self._worker

    def _noted(self) -> None:
        self._worker.audit.noted()
        self._worker.wake()

    # --- LinkIdentity ------------------------------------------------------------------------------------------------

    def signers(self) -> Sequence[Signs]:
        """The device signs."""
        return (self._parts.keys.signer,)

    def begin(self) -> None:
        """A connection begins: a new nonce, and what waits may be said."""
        self._intake.begin()
        self._tell_refusals()
        self._worker.wake()

    def complete(self, hello: Hello) -> Hello:
        """Return the hello with what proves freshness, and how far orders and journal are."""
        trust = self._parts.keys.trust.document
        try:
            counter, head = self._parts.orders.counter(trust.fleet_id), self._parts.journal.head()
            document = self._intake.kept(trust.fleet_id)
            desired = document.generation if document is not None else -1
        except StateUnusable as error:
            LOG.warning("the hello does not say how far orders are: %s", error)
            counter, head, desired = 0, ChainHead(), -1
        return replace(
            hello,
            nonce=self._intake.nonce,
            trust=trust.version,
            counter=counter,
            desired=desired,
            audit=head if head.count else None,
            certificate_until=int(self._parts.keys.certificate.not_after.timestamp() * 1000),
            veto=tuple(sorted(one.value for one in self._parts.veto)),
        )

    def require(self, kind: Kind, frame: Frame) -> None:
        """Heed what is signed by a key that may talk; unsigned only what makes nobody act and lets go of nothing."""
        if not kind.signed and not frame.signatures:
            return
        if kind.name == "presence":  # of the broker's own keeping, for all devices alike
            only_unsigned(frame)
        time = self._parts.time()
        now, quality = told(time)
        sure = now if quality is ClockQuality.SYNCHRONIZED else None
        site, floor = self._parts.site_id(), floor_of(time)
        self._parts.keys.trust.require(frame, TALK, sure, site_id=site, floor=floor)

    def require_ack(self, ack: Ack, frame: Frame) -> None:
        """Results and events are let go of only at the word of a key that may talk."""
        if frame.signatures or {lane_of(one.epoch) for one in ack.acks} & {Lane.RESULT, Lane.EVENT}:
            orders.acknowledgement(ack, frame, self._parts.keys.trust, self._intake.standing())

    def answered(self, nonce: str, at: int) -> None:
        """Believe the controller's time if it answers this connection's hello; raise NotTrusted if it does not."""
        if not nonce or nonce != self._intake.nonce:
            raise NotTrusted("order-not-fresh", "a welcome that answers another connection's hello")
        self._parts.heard_time(at)

    def audited(self, count: int) -> None:
        """Send what comes after these entries."""
        self._worker.audit.welcomed(count)
        self._worker.wake()

    def ordered(self, kind: Kind, frame: Frame) -> None:
        """Take in a trust document, a site document or a command; raise EnvelopeInvalid for what is refused."""
        try:
            intake = self._intake
            {"trust": intake.trust, "document": intake.document, "command": intake.command}[kind.name](frame)
        except (StateUnusable, OSError) as error:
            raise NotTrusted(
                "order-not-kept", f"it cannot be kept, and so it is not heeded: {error}"
            ) from error

    def refused(self, kind: str, code: str, detail: str) -> None:
        """Count it; what is due is told to the fleet and noted in the journal."""
        event = self._refusals.note(kind, code, detail)
        if event is not None and self._teller is not None:
            self._teller.tell(event)
            count = {"count": event.params["count"]}
            self._parts.journal.note(
                "fleet:?", f"order:{kind or 'message'}", "refused", detail, code=code, **count
            )

    def status(self) -> OrdersStatus:
        """Return what is heeded here, and what was refused."""
        veto = tuple(sorted(one.value for one in self._parts.veto))
        return OrdersStatus(heeded=True, veto=veto, refused=self._refusals.lately())

    def lingers(self) -> float:
        """Hold a call for orders that come right behind the welcome, and while one is being done."""
        return BUSY_SECONDS if self._worker.is_busy else LINGER_SECONDS

    def _tell_refusals(self) -> None:
        due = self._refusals.due()
        if due and self._teller is not None:
            self._teller.tell(*due)

    def _leave(self) -> None:
        """Wipe the keys: the last order of a fleet is done."""
        self._parts.keys.wipe()
        self._parts.orders.left()
        self._parts.journal.note("agent", "fleet", "left")
