"""A device at the other end: hears what the fleet sends, judges it by `trust.orders`, answers in signed messages."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from archipel_contract.audit import AuditEntries, ChainHead, Entry, appended
from archipel_contract.commands import Command, Outcome, Result
from archipel_contract.facts import ClockQuality
from archipel_contract.link import envelope
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.epochs import Lane
from archipel_contract.trust import orders
from archipel_contract.trust.orders import Repeated, Standing
from archipel_contract.trust.store import NotTrusted, TrustStore
from archipel_fleet.ports import Arrival
from tests.fakes import fleet_keys
from tests.fleet.storage.speech import Speaker


@dataclass
class Device:
    """One node with an identity, as far as orders go."""

    speaker: Speaker = field(default_factory=Speaker)
    trust: TrustStore = field(default_factory=lambda: TrustStore(fleet_keys.document()))
    counter: int = 0
    generation: int = -1
    nonce: int = 0
    journal: list[Entry] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    veto: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Its messages are signed; that they are is verified before the store hears them."""
        self.speaker.signed_by = "k-device"

    @property
    def head(self) -> ChainHead:
        """Where its journal ends."""
        last = self.journal[-1] if self.journal else None
        return ChainHead(count=last.number, hash=last.hash) if last is not None else ChainHead()

    def hello(self, **more: object) -> Arrival:
        """A new connection's hello."""
        self.nonce += 1
        self.speaker.connection += 1
        said = {
            "nonce": f"nonce-{self.nonce}",
            "counter": self.counter,
            "trust": self.trust.document.version,
            "desired": self.generation,
            "audit": self.head,
            "veto": self.veto,
            "connection": self.speaker.connection,
            **more,
        }
        return self.speaker.hello(**said)

    def did(self, action: str) -> None:
        """Write something into its journal."""
        bare = Entry(
            number=0, at=self.speaker.now, clock=self.speaker.clock, actor="local:root", action=action
        )
        self.journal.append(appended(self.head, bare))

    def audit(self, after: int = 0) -> Arrival:
        """Its journal from there on."""
        entries = tuple(one for one in self.journal if one.number > after)
        return self.speaker.next(AuditEntries(entries=entries), Lane.RESULT)

    def heed(self, messages: Iterable[Outgoing], outcome: Outcome = Outcome.DONE) -> list[Arrival]:
        """Do what the fleet sends, and return what it says to that."""
        said = []
        for one in messages:
            frame = envelope.frame_in(one.payload)
            try:
                if one.topic.endswith("/trust"):
                    self.trust = self.trust.after(frame)
                elif one.topic.endswith("/document"):
                    self.generation = orders.document(frame, self.trust, self._standing()).generation
                else:
                    said += self._ordered(orders.command(frame, self.trust, self._standing()), outcome)
            except Repeated as again:
                if again.id in self.results:
                    said.append(self.speaker.next(self.results[again.id], Lane.RESULT))
            except NotTrusted as error:
                self.refused.append(error.code)
        return said

    def _ordered(self, command: Command, outcome: Outcome) -> list[Arrival]:
        self.counter = command.counter
        self.executed.append(command.id)
        result = made(command.id, f"{command.action} is done".encode(), outcome=outcome)[0]
        self.results[command.id] = result
        return [self.speaker.next(result, Lane.RESULT)]

    def _standing(self) -> Standing:
        return Standing(
            node_id=self.speaker.node_id,
            site_id=self.speaker.site,
            now=self.speaker.now,
            clock=self.speaker.clock,
            nonce=f"nonce-{self.nonce}",
            counter=self.counter,
            generation=self.generation,
            known=frozenset(self.executed),
        )


def made(order_id: str, data: bytes, size: int = 1 << 20, outcome: Outcome = Outcome.DONE) -> list[Result]:
    """A result in pieces of at most `size` bytes."""
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    return [
        Result(
            command=order_id,
            outcome=outcome,
            text="it is done",
            name="out.txt",
            piece=number,
            pieces=len(parts),
            size=len(data),
            digest=hashlib.sha256(data).hexdigest(),
            data=base64.b64encode(part).decode(),
        )
        for number, part in enumerate(parts)
    ]


def unsure(device: Device) -> None:
    """Have it not know the time."""
    device.speaker.clock = ClockQuality.WRONG
