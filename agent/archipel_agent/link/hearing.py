"""What comes from above, judged and read: by its topic what it must be, by the identity whether it is heeded.

Nothing of a message is read before the identity has let its frame pass; orders are passed on to it unread. Used by
`session`.
"""

import logging
from typing import Any

from archipel_agent.link.identity import LinkIdentity
from archipel_agent.ports import Clock
from archipel_contract.link import topics
from archipel_contract.link.carrier import Incoming
from archipel_contract.link.envelope import EnvelopeInvalid, Frame, frame_in, from_wire
from archipel_contract.link.messages import KINDS, Ack, Kind, Welcome
from archipel_contract.link.topics import Down, Up
from archipel_contract.wire import WireError, from_data

LOG = logging.getLogger(__name__)
WARN_SECONDS = 10.0  # between two lines in the log about messages that were not heeded, however many come
# What a message from above must be is said by its channel: so it is known before a byte of it is read.
SAID_AT: dict[Up | Down, Kind] = {one.channel: one for one in KINDS.values() if isinstance(one.channel, Down)}
ORDERS = (Down.TRUST, Down.DOCUMENT, Down.COMMAND)


class Hearing:
    """Judges for one node."""

    def __init__(self, node_id: str, identity: LinkIdentity, clock: Clock) -> None:
        self._node_id, self._identity, self._clock = node_id, identity, clock
        self._warned_at, self._unwarned = -WARN_SECONDS, 0

    def take(self, one: Incoming) -> Any:
        """Return the body of a message that is for the session; None for an order, and for what is not heeded."""
        kind = None
        try:
            kind = self._kind_at(one)
            return self._read(kind, one) if kind is not None else None
        except (EnvelopeInvalid, WireError, topics.TopicInvalid) as error:
            self._refuse(one, kind, error)
            return None

    def _kind_at(self, one: Incoming) -> Kind | None:
        """Return what a message must be by its topic, None for one that is not ours to read. Raises TopicInvalid."""
        if one.topic == topics.CONTROLLER_PRESENCE:
            return KINDS["presence"]
        address = topics.parse(one.topic)
        if address.node_id != self._node_id or one.retained:
            return None
        return SAID_AT.get(address.channel)

    def _read(self, kind: Kind, one: Incoming) -> Any:
        """Return the body of a message that is heeded; None for an order, which was passed on.

        Raises EnvelopeInvalid and WireError.
        """
        identity = self._identity
        if kind.channel in ORDERS:
            identity.ordered(kind, frame_in(one.payload))
            return None

        def policy(frame: Frame) -> None:
            identity.require(kind, frame)

        frame, envelope = from_wire(one.payload, policy)
        if envelope.type != kind.name:
            raise EnvelopeInvalid("message-foreign", f"a {envelope.type[:40]} where a {kind.name} is said")
        body = from_data(kind.body, envelope.body)
        if isinstance(body, Ack):
            identity.require_ack(body, frame)
        elif isinstance(body, Welcome):
            identity.answered(body.nonce, envelope.at)
        return body

    def _refuse(self, one: Incoming, kind: Kind | None, error: ValueError) -> None:
        """Say that a message was not heeded; however many there are, the log stays short."""
        code = error.code if isinstance(error, EnvelopeInvalid) else "message-malformed"
        self._identity.refused(kind.name if kind is not None else "", code, str(error))
        now = self._clock.monotonic()
        self._unwarned += 1
        if now - self._warned_at >= WARN_SECONDS:
            LOG.warning("%d messages not heeded; on %s: %s", self._unwarned, one.topic[:80], error)
            self._warned_at, self._unwarned = now, 0
