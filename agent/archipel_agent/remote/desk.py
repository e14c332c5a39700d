"""The desk at which everything from above arrives: implements `link.identity.LinkIdentity` over the device's keys.

What an order must fulfil is said by `archipel_contract.trust.orders`; here stands what this device knows (nonce, counter,
ids, generation), and an order that is heeded is on disk before `worker` sees it. Site documents are verified and kept by
generation; nothing is acted upon yet, because bringing one about is the business of rollouts.
"""

import base64
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from archipel_agent.clocks import TrustedTime
from archipel_agent.remote.parts import RemoteParts, Teller
from archipel_agent.remote.refusals import Refusals
from archipel_agent.remote.verbs import actor
from archipel_agent.remote.worker import Worker
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.orders import KeptDocument
from archipel_contract.audit import ChainHead
from archipel_contract.commands import Command, Outcome, Result, SignedDocument
from archipel_contract.facts import ClockQuality, ClockSource
from archipel_contract.link.envelope import (
    Frame,
    Signs,
    envelope_from,
    framed,
    only_unsigned,
)
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import Ack, Hello, Kind
from archipel_contract.status import OrdersStatus
from archipel_contract.trust import orders
from archipel_contract.trust.keys import public_key
from archipel_contract.trust.store import NotTrusted
from archipel_contract.trust_document import TALK
from archipel_contract.wire import from_data

LOG = logging.getLogger(__name__)
NONCE_BYTES = 12
# An order refused for one of these was signed as it must be: the fleet is told what became of it.
AUTHENTIC = ("order-expired", "order-not-fresh", "order-replayed")
UNSURE = (ClockSource.RTC, ClockSource.NONE, ClockSource.UNKNOWN)
ANSWERS_LIMIT = 100  # of orders that came again or late, in one connection


class OrderDesk:
    """See the module. Calls come from the link's thread, but for `status`."""

    def __init__(self, parts: RemoteParts) -> None:
        self._parts = parts
        self._refusals = Refusals(parts.ports.clock)
        self._worker = Worker(parts, self._leave)
        self._teller: Teller | None = None
        self._nonce = ""
        self._answered: set[str] = set()  # orders answered once more in this connection
        self._lock = threading.Lock()
        parts.journal.when_noted = self._noted

    def start(self, teller: Teller, in_thread: bool = True) -> None:
        """Answer what a power cut left, and begin to take orders; `teller` is the link. Raises StateUnusable."""
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
        drawn = self._parts.ports.entropy.bytes(NONCE_BYTES)
        with self._lock:
            self._nonce = base64.urlsafe_b64encode(drawn).decode()
            self._answered.clear()
        self._tell_refusals()
        self._worker.wake()

    def complete(self, hello: Hello) -> Hello:
        """Return the hello with what proves freshness, and how far orders and journal are."""
        trust = self._parts.keys.trust.document
        try:
            counter, head = self._parts.orders.counter(trust.fleet_id), self._parts.journal.head()
            document = self._kept(trust.fleet_id)
            desired = document.generation if document is not None else -1
        except StateUnusable as error:
            LOG.warning("the hello does not say how far orders are: %s", error)
            counter, head, desired = 0, ChainHead(), -1
        return replace(
            hello,
            nonce=self._nonce,
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
        now, quality = _told(self._parts.time())
        sure = now if quality is ClockQuality.SYNCHRONIZED else None
        self._parts.keys.trust.require(frame, TALK, sure, site_id=self._parts.site_id())

    def require_ack(self, ack: Ack, frame: Frame) -> None:
        """Results and events are let go of only at the word of a key that may talk."""
        if frame.signatures or {lane_of(one.epoch) for one in ack.acks} & {Lane.RESULT, Lane.EVENT}:
            orders.acknowledgement(ack, frame, self._parts.keys.trust, self._standing())

    def answered(self, nonce: str, at: int) -> None:
        """Believe the controller's time if it answers this connection's hello; raise NotTrusted if it does not."""
        if not nonce or nonce != self._nonce:
            raise NotTrusted("order-not-fresh", "a welcome that answers another connection's hello")
        self._parts.heard_time(at)

    def audited(self, count: int) -> None:
        """Send what comes after these entries."""
        self._worker.audit.welcomed(count)
        self._worker.wake()

    def ordered(self, kind: Kind, frame: Frame) -> None:
        """Take in a trust document, a site document or a command; raise EnvelopeInvalid for what is refused."""
        try:
            {"trust": self._trust, "document": self._document, "command": self._command}[kind.name](frame)
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

    # --- orders ------------------------------------------------------------------------------------------------------

    def _standing(self) -> orders.Standing:
        parts = self._parts
        fleet = parts.keys.trust.document.fleet_id
        kept = self._kept(fleet)
        now, quality = _told(parts.time())
        return orders.Standing(
            node_id=parts.node_id,
            site_id=parts.site_id(),
            now=now,
            clock=quality,
            nonce=self._nonce,
            counter=parts.orders.counter(fleet),
            generation=kept.generation if kept is not None else -1,
            forced=kept.forced if kept is not None else 0,
            issued=kept.issued if kept is not None else 0,
            known=parts.orders.known(),
            two_signatures=parts.two_signatures,
        )

    def _kept(self, fleet: str) -> KeptDocument | None:
        """Return the document of this fleet and site that is kept."""
        kept = self._parts.orders.document()
        is_ours = kept is not None and (kept.fleet_id, kept.site_id) == (fleet, self._parts.site_id())
        return kept if is_ours else None

    def _trust(self, frame: Frame) -> None:
        before = self._parts.keys.trust.document.version
        after = self._parts.keys.take(frame).document.version
        if after != before:
            self._parts.journal.note("fleet:root", "trust", "accepted", version=str(after))

    def _document(self, frame: Frame) -> None:
        standing = self._standing()
        if not standing.site_id:
            raise NotTrusted("order-not-for-us", "a site document, but this node belongs to no site")
        fleet, exact = self._parts.keys.trust.document.fleet_id, framed(frame)
        before = self._kept(fleet)
        if before is not None and before.frame == exact:
            return  # it came again
        try:
            read: SignedDocument = orders.document(frame, self._parts.keys.trust, standing)
        except orders.Repeated:
            return
        is_return = read.generation < standing.generation
        kept = KeptDocument(
            fleet_id=fleet,
            site_id=read.site_id,
            generation=read.generation,
            frame=exact,
            issued=max(read.issued, standing.issued),
            forced=read.issued if is_return else standing.forced,
        )
        self._parts.orders.keep_document(kept)
        said = {"generation": str(read.generation), "signed": self._names(frame)}
        if read.force:
            said["forced"] = "yes"
        self._parts.journal.note(f"fleet:{said['signed']}", "document", "accepted", **said)

    def _names(self, frame: Frame) -> str:
        """Return the names of the keys that signed, as the trust document has them."""
        known = {public_key(one.public).key_id: one.name for one in self._parts.keys.trust.document.keys}
        return ", ".join(known.get(one.key_id, one.key_id) for one in frame.signatures)

    def _command(self, frame: Frame) -> None:
        try:
            command = orders.command(frame, self._parts.keys.trust, self._standing())
        except orders.Repeated as again:
            self._again(again.id)
            return
        except NotTrusted as error:
            if error.code in AUTHENTIC:
                self._turn_down(frame, error)
            raise
        self._parts.orders.accept(command, self._parts.keys.trust.document.fleet_id)
        action = f"order:{command.action.value}"
        counter = str(command.counter)
        params = {"command": command.id, "counter": counter, "signed": self._names(frame)}
        self._parts.journal.note(actor(command), action, "accepted", **params)
        self._worker.put(command)

    def _again(self, order: str) -> None:
        """A command came again: say its result once more, if it has one and that is not on its way already."""
        kept = self._parts.orders.result(order)
        if kept is not None and kept.said < 0 and self._once(order):
            self._parts.orders.note_said(order, 0)
            self._worker.wake()

    def _turn_down(self, frame: Frame, why: NotTrusted) -> None:
        """Say to the fleet what became of an order of its own that is not done."""
        command = from_data(Command, envelope_from(frame.payload).body)
        if self._once(command.id):
            self._worker.tell(
                Result(command=command.id, outcome=Outcome.REFUSED, code=why.code, text=str(why)[:500])
            )

    def _once(self, order: str) -> bool:
        with self._lock:
            if order in self._answered or len(self._answered) >= ANSWERS_LIMIT:
                return False
            self._answered.add(order)
            return True

    def _tell_refusals(self) -> None:
        due = self._refusals.due()
        if due and self._teller is not None:
            self._teller.tell(*due)

    def _leave(self) -> None:
        """Wipe the keys: the last order of a fleet is done."""
        self._parts.keys.wipe()
        self._parts.orders.left()
        self._parts.journal.note("agent", "fleet", "left")


def _told(time: TrustedTime) -> tuple[int, ClockQuality]:
    """Return the time in milliseconds since 1970 UTC; as synchronised where anybody but a battery stands behind it."""
    is_sure = time.checks_dates and time.source not in UNSURE
    quality = ClockQuality.SYNCHRONIZED if is_sure else ClockQuality.UNKNOWN
    return int(time.now.timestamp() * 1000), quality
