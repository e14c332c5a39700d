"""A fleet with all its private keys, and a device that trusts it: what signs and what verifies, without files or TLS."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from archipel_contract.commands import Action, Command, SignedDocument
from archipel_contract.link.envelope import Envelope, Frame, frame_to_wire, signed
from archipel_contract.link.messages import TYPE_OF
from archipel_contract.trust.certificates import Authority, Certificate
from archipel_contract.trust.keys import Signer, SoftwareSigner, new_device_key, new_fleet_key
from archipel_contract.trust.store import TrustStore
from archipel_contract.trust_document import DOCUMENT, TALK, Delegation, KeyRole, TrustDocument
from archipel_contract.wire import to_data

FLEET = "f-0000000000000000"
OTHER_FLEET = "f-0000000000000001"
HOUR = 3_600_000


class FakeFleet:
    """Signs what a controller and its operators sign. Times are milliseconds since 1970 UTC."""

    def __init__(self, fleet_id: str = FLEET) -> None:
        self.roots = [SoftwareSigner(new_fleet_key()) for _ in range(3)]
        self.controller, self.alice, self.bob, self.reader, self.stranger = (
            SoftwareSigner(new_fleet_key()) for _ in range(5)
        )
        everything = (DOCUMENT, "command:*")
        self.document = TrustDocument(
            fleet_id=fleet_id,
            version=1,
            roots=tuple(str(one.public) for one in self.roots),
            threshold=2,
            keys=(
                _key(self.controller, "controller", TALK, *everything),
                _key(self.alice, "alice", *everything),
                _key(self.bob, "bob", *everything),
                _key(self.reader, "reader", "command:logs"),
            ),
        )
        self.counter = 0

    def next_document(self, **fields: Any) -> Frame:
        """Return the next version of the trust document, which is the fleet's from now on."""
        self.document = replace(self.document, version=self.document.version + 1, **fields)
        return said(self.document, self.roots[:2])

    def command(
        self,
        node: str,
        now: int,
        action: Action = Action.LOGS,
        signers: Sequence[SoftwareSigner] | None = None,
        **fields: Any,
    ) -> Frame:
        """Return a new command for a node, signed by the controller unless others are named."""
        self.counter += 1
        made = Command(
            id=f"c-{self.counter:016d}",
            node=node,
            counter=self.counter,
            issued=now,
            expires=now + HOUR,
            action=action,
            asked_by="alice",
        )
        return said(replace(made, **fields), [self.controller] if signers is None else signers)

    def site_document(
        self, site_id: str, generation: int, signers: Sequence[SoftwareSigner] | None = None, **fields: Any
    ) -> Frame:
        """Return a site document, signed by the controller unless others are named."""
        made = SignedDocument(site_id=site_id, generation=generation, document={"name": "a"})
        return said(replace(made, **fields), [self.controller] if signers is None else signers)


def _key(signer: SoftwareSigner, name: str, *may: str) -> Delegation:
    return Delegation(public=str(signer.public), name=name, role=KeyRole.OPERATOR, may=may)


def said(body: Any, signers: Sequence[SoftwareSigner] = (), at: int = 0) -> Frame:
    """Return the frame of a message."""
    return signed(Envelope(type=TYPE_OF[type(body)], at=at, body=to_data(body)), signers)


def wire(frame: Frame) -> bytes:
    """Return a frame as it travels."""
    return frame_to_wire(frame)


class FakeKeys:
    """Implements remote.parts.DeviceKeys in memory; like a disk it outlives the agent."""

    def __init__(
        self, fleet: FakeFleet, node_id: str, now: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    ) -> None:
        authority_key, key = new_device_key(), new_device_key()
        authority = Authority.new(authority_key, "fleet", now)
        self._certificate = authority.device(node_id, key.public_key(), now)
        self._signer = SoftwareSigner(key)
        self._trust = TrustStore(fleet.document)
        self.wiped = 0
        self.is_full = False

    @property
    def signer(self) -> Signer:
        """See DeviceKeys."""
        return self._signer

    @property
    def certificate(self) -> Certificate:
        """See DeviceKeys."""
        return self._certificate

    @property
    def trust(self) -> TrustStore:
        """See DeviceKeys."""
        return self._trust

    def take(self, frame: Frame) -> TrustStore:
        """See DeviceKeys."""
        if self.is_full:
            raise OSError(28, "No space left on device")
        self._trust = self._trust.after(frame)
        return self._trust

    def wipe(self) -> None:
        """See DeviceKeys."""
        self.wiped += 1
