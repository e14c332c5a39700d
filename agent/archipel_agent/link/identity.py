"""What the link asks of whoever keeps this device's identity: to sign, to complete a hello, to say what from above is
heeded.

`identity/` implements it over a certificate and a trust document. `Nobody` is the node before it has any: it speaks
unsigned, over loopback only, heeds answers of its controller as they come, and takes no orders.
"""

from collections.abc import Sequence
from typing import Protocol

from archipel_contract.link.envelope import EnvelopeInvalid, Frame, Signs, only_unsigned
from archipel_contract.link.messages import Ack, Hello, Kind
from archipel_contract.status import OrdersStatus


class LinkIdentity(Protocol):
    """One device as its link sees it. Calls come from the link's thread."""

    def signers(self) -> Sequence[Signs]:
        """Return who signs what is to be signed from below: the device, or nobody."""
        ...

    def begin(self) -> None:
        """A connection begins: a new nonce."""
        ...

    def complete(self, hello: Hello) -> Hello:
        """Return the hello with nonce, trust version, counters, audit head, end of the certificate and vetoes."""
        ...

    def require(self, kind: Kind, frame: Frame) -> None:
        """Return if a message from above is heeded, before it is read; raise EnvelopeInvalid."""
        ...

    def require_ack(self, ack: Ack, frame: Frame) -> None:
        """Return if an acknowledgement is heeded: one that lets go of results or events must be signed. Raises
        EnvelopeInvalid.
        """
        ...

    def answered(self, nonce: str, at: int) -> None:
        """Note the controller's time in a signed welcome. Raises EnvelopeInvalid (order-not-fresh) for one that answers
        another connection's hello: it is not heeded.
        """
        ...

    def audited(self, count: int) -> None:
        """Note how many entries of the audit journal the fleet has, by its welcome."""
        ...

    def ordered(self, kind: Kind, frame: Frame) -> None:
        """Take in a trust document, a site document or a command; what is refused raises EnvelopeInvalid."""
        ...

    def refused(self, kind: str, code: str, detail: str) -> None:
        """Note that a message from above was not heeded; `kind` is empty where nobody knows what it was to be."""
        ...

    def status(self) -> OrdersStatus:
        """Return what is heeded here, and what was refused; never waits."""
        ...

    def lingers(self) -> float:
        """Return for how many seconds after the last word a call is to be held, for orders that may come; more than a call
        takes at most while one is being done, whose result is worth waiting for.
        """
        ...


class Nobody:
    """A node without keys."""

    def signers(self) -> Sequence[Signs]:
        """Nobody signs."""
        return ()

    def begin(self) -> None:
        """There is no nonce."""

    def complete(self, hello: Hello) -> Hello:
        """Nothing to add."""
        return hello

    def require(self, kind: Kind, frame: Frame) -> None:
        """Heed what is unsigned; raise EnvelopeInvalid for the rest."""
        only_unsigned(frame)

    def require_ack(self, ack: Ack, frame: Frame) -> None:
        """Heed what is unsigned; raise EnvelopeInvalid for the rest."""
        only_unsigned(frame)

    def answered(self, nonce: str, at: int) -> None:
        """A time without a signature is not believed."""

    def audited(self, count: int) -> None:
        """There is nobody to send the audit journal to."""

    def ordered(self, kind: Kind, frame: Frame) -> None:
        """Refuse: a device without keys takes no orders."""
        raise EnvelopeInvalid("message-untrusted", f"a {kind.name}, but this node has no fleet's keys")

    def refused(self, kind: str, code: str, detail: str) -> None:
        """The log says it: without keys anybody on this machine could have the fleet told anything."""

    def status(self) -> OrdersStatus:
        """No orders are heeded."""
        return OrdersStatus()

    def lingers(self) -> float:
        """No orders will come."""
        return 0.0
