"""A fleet's keys in memory: one root, a controller's key, an operator's; implements ports.Keys. Made once, as keys take
time.
"""

import functools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from archipel_contract.link.envelope import Envelope, Frame, signed
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import (
    PrivateKey,
    Signer,
    SoftwareSigner,
    new_device_key,
    new_fleet_key,
    to_pem,
)
from archipel_contract.trust.store import TrustStore
from archipel_contract.trust_document import Delegation, KeyRole, TrustDocument
from archipel_contract.wire import to_data

FLEET = "f-0000000000000001"


@functools.cache
def key(name: str) -> PrivateKey:
    """A fleet's key by name: the same in the whole run."""
    return new_fleet_key()


def signer(name: str) -> SoftwareSigner:
    """Signs with the key of that name."""
    return SoftwareSigner(key(name))


def pem(name: str) -> bytes:
    """The key of that name as a file."""
    return to_pem(key(name))


@functools.cache
def device(number: int) -> SoftwareSigner:
    """Signs as the `number`th device."""
    return SoftwareSigner(new_device_key())


def document(version: int = 1, revoked: tuple[str, ...] = ()) -> TrustDocument:
    """What the root says: the controller may do all, the operator give commands."""
    return TrustDocument(
        fleet_id=FLEET,
        version=version,
        roots=(str(signer("root").public),),
        threshold=1,
        keys=(
            Delegation(
                public=str(signer("controller").public),
                name="controller",
                role=KeyRole.CONTROLLER,
                may=("talk", "document", "command:*"),
            ),
            Delegation(
                public=str(signer("operator").public), name="otto", role=KeyRole.OPERATOR, may=("command:*",)
            ),
        ),
        revoked=revoked,
    )


def frame_of(said: TrustDocument) -> Frame:
    """The document, signed by the root."""
    return signed(Envelope(type="trust", at=0, body=to_data(said)), [signer("root")])


@dataclass
class FakeKeys:
    """Implements ports.Keys."""

    documents: list[TrustDocument] = field(default_factory=lambda: [document()])

    @property
    def trust(self) -> TrustStore:
        """See ports.Keys."""
        return TrustStore(self.documents[-1])

    @property
    def trust_frame(self) -> Frame:
        """See ports.Keys."""
        return frame_of(self.documents[-1])

    def frames_after(self, version: int) -> tuple[Frame, ...]:
        """See ports.Keys."""
        return tuple(frame_of(one) for one in self.documents if one.version > version)

    @property
    def signer(self) -> Signer:
        """See ports.Keys."""
        return signer("controller")

    @property
    def authority(self) -> Authority:
        """See ports.Keys."""
        return Authority.new(new_device_key(), "fake fleet", datetime(2026, 1, 1, tzinfo=UTC))

    @property
    def shown_authority(self) -> Authority:
        """See ports.Keys."""
        return self.authority

    def publish(self) -> None:
        """The root says the next version, with nothing else in it."""
        self.documents.append(replace(self.documents[-1], version=self.documents[-1].version + 1))
