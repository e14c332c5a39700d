"""Orders from the fleet, and the pure rule by which a device heeds one: commands, and site documents by generation.

An order is verified on the exact bytes that arrived, before they are read. Whoever asks `judge` stores the counter (or the
generation) before anything is done: an order is executed at most once, and a repeated one is answered with its result.
"""

from dataclasses import dataclass

from archipel_contract.commands import SIGNATURES, Action, Command, SignedDocument
from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import SEQUENCE_LIMIT, Frame
from archipel_contract.link.messages import Ack
from archipel_contract.names import COMMAND_ID
from archipel_contract.trust.store import NotTrusted, Signed, TrustStore, envelope_in
from archipel_contract.trust_document import COMMAND, DOCUMENT, TALK
from archipel_contract.wire import WireError, from_data

SKEW = 300_000  # milliseconds that a good clock may differ from the fleet's
# A counter may leave room for what was lost, yet not run to its end: whoever may only read logs could otherwise use it up,
# and no order would ever be newer. Wide enough for counters that are milliseconds.
COUNTER_STEP = 1 << 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a device knows of itself when it judges an order. `now` is milliseconds since 1970 UTC."""

    node_id: str
    site_id: str
    now: int
    clock: ClockQuality
    nonce: str  # of this connection's hello
    counter: int  # the highest accepted
    generation: int  # of the newest document that was accepted
    forced: int = 0  # `issued` of the last return to an older generation that was accepted; 0 for none
    issued: int = 0  # `issued` of the newest document that was accepted at all
    known: frozenset[str] = frozenset()  # ids of commands with a result, or in hand
    two_signatures: bool = True
    floor: int = 0  # milliseconds since 1970 UTC that are surely past, also where the clock is not sure

    @property
    def sure_now(self) -> int | None:
        """The time, where it can be trusted."""
        return self.now if self.clock is ClockQuality.SYNCHRONIZED else None


class Repeated(Exception):
    """A command came again; `id` is known, and its stored result is to be said again."""

    def __init__(self, id: str) -> None:
        super().__init__(f"{id} came again")
        self.id = id


def command(frame: Frame, trust: TrustStore, standing: Standing) -> Command:
    """Return the command to be executed now; raise NotTrusted, Repeated.

    Codes beyond the TrustStore's: order-not-for-us, order-replayed, order-expired, order-not-fresh, message-malformed.
    """
    signed, read = _command_in(frame, trust)
    purpose, needed = f"{COMMAND}{read.action.value}", _needed(read.action, standing)
    trust.permit(signed, purpose, standing.sure_now, needed, standing.site_id, standing.floor)
    if read.node != standing.node_id:
        raise NotTrusted("order-not-for-us", f"it is for {read.node[:40]}")
    if read.id in standing.known:
        raise Repeated(read.id)
    if read.counter <= standing.counter:
        raise NotTrusted(
            "order-replayed", f"counter {read.counter}, but {standing.counter} was accepted already"
        )
    if read.counter - standing.counter > COUNTER_STEP:
        raise NotTrusted(
            "order-replayed",
            f"counter {read.counter} leaves {standing.counter} too far behind to be the next",
        )
    _check_fresh(read, standing)
    return read


def _command_in(frame: Frame, trust: TrustStore) -> tuple[Signed, Command]:
    """Return who signed, and what they ask for: read only once every signature is a good one of a key of this fleet."""
    signed = trust.authentic(frame)
    try:
        envelope = envelope_in(frame)
        if envelope.type != "command":
            raise NotTrusted("message-foreign", f"this is a {envelope.type[:40]}, not a command")
        read = from_data(Command, envelope.body)
    except WireError as error:
        raise NotTrusted("message-malformed", str(error)) from error
    if not COMMAND_ID.fullmatch(read.id):
        raise NotTrusted("message-malformed", f"{read.id[:40]!r} is no id of a command")
    _check_numbers(read.counter, read.issued, read.expires)
    return signed, read


def _check_numbers(*numbers: int) -> None:
    if not all(0 <= one < SEQUENCE_LIMIT for one in numbers):
        raise NotTrusted("message-malformed", "a number is negative or needs more than 64 bits")


def _needed(action: Action, standing: Standing) -> int:
    return SIGNATURES.get(action, 1) if standing.two_signatures else 1


def _check_fresh(read: Command, standing: Standing) -> None:
    if read.nonce and read.nonce != standing.nonce:
        raise NotTrusted("order-not-fresh", "it answers another hello than this connection's")
    now = standing.sure_now
    if now is None and read.nonce:
        return
    if now is None:
        raise NotTrusted(
            "order-not-fresh", "the clock is not sure, and it does not answer this connection's hello"
        )
    if now >= read.expires:
        raise NotTrusted("order-expired", f"it expired {(now - read.expires) // 1000} s ago")
    if now < read.issued - SKEW:
        raise NotTrusted("order-expired", "it was issued in what is the future here")


def document(frame: Frame, trust: TrustStore, standing: Standing) -> SignedDocument:
    """Return a site document that is newer than the one in force; raise NotTrusted (codes: order-rolled-back too), Repeated.

    An older generation needs `force`, the signatures of two, and to have been issued after every document accepted before:
    so what was forced once cannot be played again once the site has gone on. Nor can what was in force before that return.
    """
    signed = trust.authentic(frame)
    try:
        envelope = envelope_in(frame)
        if envelope.type != "document":
            raise NotTrusted("message-foreign", f"this is a {envelope.type[:40]}, not a site document")
        read = from_data(SignedDocument, envelope.body)
    except WireError as error:
        raise NotTrusted("message-malformed", str(error)) from error
    _check_numbers(read.generation, read.issued)
    needed = 2 if read.force else 1
    trust.permit(signed, DOCUMENT, standing.sure_now, needed, standing.site_id, standing.floor)
    if read.site_id != standing.site_id:
        raise NotTrusted("order-not-for-us", f"it is for {read.site_id[:40]}")
    if read.generation == standing.generation:
        raise Repeated(f"generation {read.generation}")
    is_return = read.generation < standing.generation
    if is_return and not read.force:
        raise NotTrusted("order-rolled-back", f"generation {read.generation} after {standing.generation}")
    if is_return and read.issued <= max(standing.forced, standing.issued):
        raise NotTrusted(
            "order-replayed",
            "this return to an older generation was ordered before the last document that came",
        )
    if read.issued < standing.forced:
        raise NotTrusted("order-replayed", "it is of before the last return to an older generation")
    return read


def acknowledgement(ack: Ack, frame: Frame, trust: TrustStore, standing: Standing) -> None:
    """Return if an acknowledgement may let go of results and events; raise NotTrusted.

    Two nodes may have the same epoch by chance, so what is signed for one must be worth nothing to another.
    """
    trust.require(frame, TALK, standing.sure_now, site_id=standing.site_id, floor=standing.floor)
    if ack.node != standing.node_id:
        raise NotTrusted("order-not-for-us", f"it is for {ack.node[:40] or 'nobody by name'}")
