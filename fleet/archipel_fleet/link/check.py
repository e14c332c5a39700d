"""Reads and checks one message from a node: what passes is an Arrival, what does not is Refused and says why.

Called by `ingest` for everything the broker delivers. Pure but for what it remembers of each node: which site its last hello
named, since a node speaks only on the shard of its site, and only for its own site.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from archipel_contract.link import envelope, topics
from archipel_contract.link.envelope import Envelope, EnvelopeInvalid, Frame
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import (
    KINDS,
    DeltaState,
    Event,
    EventKind,
    FullState,
    Hello,
    Kind,
    NodeState,
    Presence,
)
from archipel_contract.link.topics import Address, TopicInvalid, Up
from archipel_contract.names import SITE_ID
from archipel_contract.wire import WireError, from_data
from archipel_fleet.link import storable
from archipel_fleet.link.senders import UNSIGNED, NotProven, Senders
from archipel_fleet.ports import Arrival

MALFORMED = "message-malformed"
FOREIGN = "message-foreign"
NEWER = "message-newer"
MISPLACED = "message-misplaced"  # on the topic of another shard or channel, or for a site that is not its own
REMEMBERED = 100_000  # nodes; the one heard longest ago is forgotten first
TEXT_LIMIT = 256  # characters of a name in a hello


class Passed(Exception):
    """A message says nothing that has to be taken in, and nothing is wrong with it."""


class Refused(Exception):
    """A message is not taken in; `code` says for which reason, `node_id` whose it claims to be (empty if unknown)."""

    def __init__(self, code: str, detail: str, node_id: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.node_id = node_id
        self.instead: Arrival | None = None
        """What to commit in its place, so that a node is not left to send for ever what can never be read."""


@dataclass(frozen=True, slots=True)
class _Known:
    shard: int
    site_id: str


class Checker:
    """Checks messages; remembers the shard and site of each node whose hello it has seen."""

    def __init__(self, senders: Senders | None = None, remembered: int = REMEMBERED) -> None:
        """`senders` judges signatures; without it nothing may be signed (the policy of plain loopback)."""
        self._senders = senders
        self._remembered = remembered
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def check(self, topic: str, data: bytes, received: int, retained: bool = False) -> Arrival:
        """Return what a message says; raise Refused, Passed. `received` is milliseconds since 1970."""
        try:
            address = topics.parse(topic)
        except TopicInvalid as error:
            raise Refused(FOREIGN, str(error)) from error
        if not isinstance(address.channel, Up):
            raise Refused(FOREIGN, f"{topic} is not a topic on which nodes speak")
        if not data and address.channel is Up.PRESENCE:
            raise Passed(f"the retained presence on {topic} was cleared: its node moved to another shard")
        try:
            frame, signed_by = self._frame(data, address)
            read = envelope.envelope_from(frame.payload)
        except (EnvelopeInvalid, NotProven) as error:
            raise Refused(error.code, str(error), address.node_id) from error
        if self._senders is not None and not signed_by and _must_be_signed(read):
            raise Refused(UNSIGNED, f"{read.type[:40]}: it is not signed", address.node_id)
        try:
            storable.check(frame.payload, read.body)
            kind = _kind(read, address, retained)
            body = _body(kind, read)
            self._check_place(address, body)
        except (storable.NotStorable, WireError) as error:
            raise self._refused(MALFORMED, str(error), address, read, received) from error
        except Passed:
            raise
        except Refused as refused:
            raise self._refused(refused.code, refused.detail, address, read, received) from None
        except Exception as error:  # one message nobody thought of must not end the intake of all others
            detail = f"{type(error).__name__}: {error}"
            raise self._refused(MALFORMED, detail, address, read, received) from error
        return Arrival(
            node_id=address.node_id,
            shard=address.shard,
            received=received,
            envelope=read,
            body=body,
            payload=frame.payload,
            retained=retained,
            signed_by=signed_by,
        )

    def _frame(self, data: bytes, address: Address) -> tuple[Frame, str]:
        """Return the frame of a message, and whose key signed it; nothing of its payload is read before that is known.

        A signature is verified wherever there is one: one that nobody looked at must not look like a good one.
        """
        frame = envelope.frame_in(data)
        if self._senders is None:
            envelope.only_unsigned(frame)
            return frame, ""
        return frame, self._senders.signer_of(address.node_id, frame) if frame.signatures else ""

    def _check_place(self, address: Address, body: Any) -> None:
        known = self._known.get(address.node_id)
        if isinstance(body, Hello):
            if topics.shard_of(body.site_id, address.node_id) != address.shard:
                raise Refused(
                    MISPLACED, f"its site {body.site_id!r} does not belong to shard {address.shard:02x}"
                )
            self._known[address.node_id] = _Known(address.shard, body.site_id)
            self._known.move_to_end(address.node_id)
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
            return
        if known is not None and known.shard != address.shard:
            if isinstance(body, Presence):
                raise Passed("a node that moves says where it is before its hello says why")
            raise Refused(
                MISPLACED, f"its hello came on shard {known.shard:02x}, this on {address.shard:02x}"
            )
        said = _site_said(body)
        if not said:
            return
        if known is not None and known.site_id and said != known.site_id:
            raise Refused(MISPLACED, f"its hello named site {known.site_id}, its state {said[:40]!r}")
        if topics.shard_of(said, address.node_id) != address.shard:
            raise Refused(MISPLACED, f"its site {said[:40]!r} does not belong to shard {address.shard:02x}")

    def _refused(self, code: str, detail: str, address: Address, read: Envelope, received: int) -> Refused:
        refused = Refused(code, f"{read.type[:40]}: {detail}", address.node_id)
        # A misplaced message is perhaps not this node's at all; a state is asked for again and never kept.
        if code != MISPLACED and read.sequence and read.epoch and lane_of(read.epoch) is not Lane.STATE:
            refused.instead = _replaced(code, refused.detail, address, read, received)
        return refused


def _must_be_signed(read: Envelope) -> bool:
    """Whether a message counts only with a signature: by its kind, or because it takes a place among results, where a
    forged one would make the true one look like a repetition.
    """
    kind = KINDS.get(read.type)
    if kind is not None and kind.signed:
        return True
    return read.epoch > 0 and lane_of(read.epoch) is Lane.RESULT


def _kind(read: Envelope, address: Address, retained: bool) -> Kind:
    kind = KINDS.get(read.type)
    if kind is None:
        raise Refused(NEWER, "a type of message this program does not know")
    if kind.channel is not address.channel:
        raise Refused(MISPLACED, f"this type does not belong on the channel {address.channel}")
    if retained and not kind.retained:
        raise Refused(FOREIGN, "it was kept by the broker, which nodes never ask for with this type")
    if kind.lane is not None and (
        not read.sequence or not read.epoch or lane_of(read.epoch) is not kind.lane
    ):
        raise Refused(
            MALFORMED, f"epoch {read.epoch} and sequence {read.sequence} are none of lane {kind.lane.name}"
        )
    return kind


def _body(kind: Kind, read: Envelope) -> Any:
    body = from_data(kind.body, read.body)
    if isinstance(body, Hello):
        _check_hello(body)
    elif isinstance(body, FullState):
        from_data(NodeState, body.state)
    return body


def _site_said(body: Any) -> str:
    """Return the site a state names, empty if it names none."""
    said = None
    if isinstance(body, FullState):
        said = body.state.get("site_id")
    elif isinstance(body, DeltaState):
        said = body.patch.get("site_id")
    return said if isinstance(said, str) else ""


def _check_hello(body: Hello) -> None:
    if body.site_id and not SITE_ID.fullmatch(body.site_id):
        raise WireError("Hello.site_id: not a site id")
    for name in ("site_name", "node_name", "hostname", "fingerprint", "boot", "agent_version", "incarnation"):
        if len(getattr(body, name)) > TEXT_LIMIT:
            raise WireError(f"Hello.{name}: longer than {TEXT_LIMIT} characters")


def _replaced(code: str, detail: str, address: Address, read: Envelope, received: int) -> Arrival:
    body = Event(kind=EventKind.UNKNOWN, subject=code, text=detail[:TEXT_LIMIT])
    said = {"kind": body.kind.value, "subject": body.subject, "text": body.text}
    made = replace(read, type="event", key="", replaces=(), body=said)
    return Arrival(
        node_id=address.node_id,
        shard=address.shard,
        received=received,
        envelope=made,
        body=body,
        payload=envelope.payload(made),
    )
