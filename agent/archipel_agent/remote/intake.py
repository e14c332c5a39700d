"""Takes in what the fleet orders: trust documents, site documents, commands. Called by `desk` from the link's thread.

What an order must fulfil is said by `archipel_contract.trust.orders`; here stands what this device knows (nonce, counter,
ids, generation), and an order that is heeded is on disk before `worker` sees it. Site documents are verified and kept by
generation; nothing is acted upon yet, because bringing one about is the business of rollouts.

Every method raises NotTrusted for what is refused, and StateUnusable or OSError for what cannot be kept.
"""

import base64
import threading

from archipel_agent.clocks import TrustedTime
from archipel_agent.remote.parts import RemoteParts
from archipel_agent.remote.verbs import actor
from archipel_agent.remote.worker import Worker
from archipel_agent.state.orders import KeptDocument
from archipel_contract.commands import Command, Outcome, Result, SignedDocument
from archipel_contract.facts import ClockQuality, ClockSource
from archipel_contract.link.envelope import Frame, envelope_from, framed
from archipel_contract.trust import orders
from archipel_contract.trust.keys import public_key
from archipel_contract.trust.store import NotTrusted
from archipel_contract.wire import from_data

NONCE_BYTES = 12
# An order refused for one of these was signed as it must be: the fleet is told what became of it.
AUTHENTIC = ("order-expired", "order-not-fresh", "order-replayed")
UNSURE = (ClockSource.RTC, ClockSource.NONE, ClockSource.UNKNOWN)
ANSWERS_LIMIT = 100  # of orders that came again or late, in one connection


class Intake:
    """See the module."""

    def __init__(self, parts: RemoteParts, worker: Worker) -> None:
        self._parts, self._worker = parts, worker
        self.nonce = ""  # of this connection
        self._answered: set[str] = set()  # orders answered once more in this connection
        self._lock = threading.Lock()

    def begin(self) -> None:
        """A connection begins."""
        drawn = self._parts.ports.entropy.bytes(NONCE_BYTES)
        with self._lock:
            self.nonce = base64.urlsafe_b64encode(drawn).decode()
            self._answered.clear()

    def standing(self) -> orders.Standing:
        """Return what this device knows of itself now."""
        parts = self._parts
        fleet = parts.keys.trust.document.fleet_id
        kept = self.kept(fleet)
        time = parts.time()
        now, quality = told(time)
        return orders.Standing(
            node_id=parts.node_id,
            site_id=parts.site_id(),
            now=now,
            clock=quality,
            floor=floor_of(time),
            nonce=self.nonce,
            counter=parts.orders.counter(fleet),
            generation=kept.generation if kept is not None else -1,
            forced=kept.forced if kept is not None else 0,
            issued=kept.issued if kept is not None else 0,
            known=parts.orders.known(),
            two_signatures=parts.two_signatures,
        )

    def kept(self, fleet: str) -> KeptDocument | None:
        """Return the document of this fleet and site that is kept."""
        kept = self._parts.orders.document()
        is_ours = kept is not None and (kept.fleet_id, kept.site_id) == (fleet, self._parts.site_id())
        return kept if is_ours else None

    def trust(self, frame: Frame) -> None:
        """Take in a trust document."""
        before = self._parts.keys.trust.document.version
        after = self._parts.keys.take(frame).document.version
        if after != before:
            self._parts.journal.note("fleet:root", "trust", "accepted", version=str(after))

    def document(self, frame: Frame) -> None:
        """Take in a site document: verified and kept by generation, with its exact bytes."""
        standing = self.standing()
        if not standing.site_id:
            raise NotTrusted("order-not-for-us", "a site document, but this node belongs to no site")
        fleet, exact = self._parts.keys.trust.document.fleet_id, framed(frame)
        before = self.kept(fleet)
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

    def command(self, frame: Frame) -> None:
        """Take in a command: on disk before the worker sees it."""
        try:
            command = orders.command(frame, self._parts.keys.trust, self.standing())
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


def told(time: TrustedTime) -> tuple[int, ClockQuality]:
    """Return the time in milliseconds since 1970 UTC; as synchronised where anybody but a battery stands behind it."""
    is_sure = time.checks_dates and time.source not in UNSURE
    quality = ClockQuality.SYNCHRONIZED if is_sure else ClockQuality.UNKNOWN
    return int(time.now.timestamp() * 1000), quality


def floor_of(time: TrustedTime) -> int:
    """Return the time in milliseconds since 1970 UTC that is surely past."""
    return int(time.floor.timestamp() * 1000)
