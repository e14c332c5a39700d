"""What there is to attack, and what a fallen broker has to attack it with: two fleets, their keys, and all that was said.

Everything comes from one seed. The device under attack belongs to `ours`; `theirs` is a stranger's fleet, of which the
attacker has every key. Times are milliseconds since 1970 UTC.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archipel_contract.commands import Action, Command, SignedDocument
from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import Envelope, Frame, signed
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.link.messages import TYPE_OF, Ack, EpochAck
from archipel_contract.names import new_command_id, new_fleet_id, new_node_id, new_site_id
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.trust.orders import Standing
from archipel_contract.trust_document import DOCUMENT, TALK, Delegation, KeyRole, TrustDocument
from archipel_contract.wire import to_data

NOW = 1_800_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
HARMLESS = (Action.LOGS, Action.DOCTOR, Action.SUPPORT, Action.RESTART, Action.KUBECTL)
FLOOR = NOW - HOUR  # it is certainly later, whatever the clock shows
NAMES = (  # whose keys there are or were
    "controller",
    "standby",
    "talker",
    "alice",
    "alice, other key",
    "bob",
    "reader",
    "abroad",
    "past",
    "coming",
    "revoked",
    "former",
)
DANGEROUS = (Action.DECOMMISSION, Action.RESET, Action.RESTORE)
VERSION = 5  # of the trust document in force
COUNTER = 400  # of the last command that was accepted
GENERATION = 30
SENT = 500  # sequences of each epoch that were sent


def fleet_signer(dice: random.Random) -> SoftwareSigner:
    """Return a new Ed25519 key out of the seed."""
    return SoftwareSigner(Ed25519PrivateKey.from_private_bytes(dice.randbytes(32)))


def device_signer(dice: random.Random) -> SoftwareSigner:
    """Return a new P-256 key out of the seed."""
    return SoftwareSigner(ec.derive_private_key(dice.getrandbits(250) + 1, ec.SECP256R1()))


def said(body: Any, signers: Sequence[SoftwareSigner] = (), at: int = NOW) -> Frame:
    """Return the frame of a message, signed by these."""
    return signed(Envelope(type=TYPE_OF[type(body)], at=at, body=to_data(body)), signers)


@dataclass
class Fleet:
    """One fleet with every private key it ever had. `keys` by the name of their owner."""

    id: str
    roots: list[SoftwareSigner]
    keys: dict[str, SoftwareSigner]
    documents: dict[int, TrustDocument] = field(default_factory=dict)

    def frame(self, version: int) -> Frame:
        """Return one version of its trust document, signed by two of its three roots."""
        return said(self.documents[version], self.roots[:2])


def _delegations(keys: dict[str, SoftwareSigner], home: str, away: str) -> tuple[Delegation, ...]:
    def of(name: str, role: KeyRole, *may: str, **other: Any) -> Delegation:
        holder = name.partition(",")[0]
        return Delegation(public=str(keys[name].public), name=holder, role=role, may=may, **other)

    controller, operator = KeyRole.CONTROLLER, KeyRole.OPERATOR
    harmless = [f"command:{one}" for one in HARMLESS]
    return (
        of("controller", controller, TALK, DOCUMENT, *harmless),
        of("standby", controller, DOCUMENT, "command:*"),
        of("talker", controller, TALK),
        of("alice", operator, DOCUMENT, "command:*"),
        of("alice, other key", operator, DOCUMENT, "command:*"),
        of("bob", operator, DOCUMENT, "command:*"),
        of("reader", operator, "command:logs", sites=(home,)),
        of("abroad", operator, TALK, DOCUMENT, "command:*", sites=(away,)),
        of("past", operator, TALK, DOCUMENT, "command:*", expires=NOW - DAY),
        of("coming", operator, TALK, DOCUMENT, "command:*", not_before=NOW + DAY),
        of("revoked", operator, TALK, DOCUMENT, "command:*"),
    )


def _fleet(dice: random.Random, home: str, away: str) -> Fleet:
    made = Fleet(
        id=new_fleet_id(dice.randbytes),
        roots=[fleet_signer(dice) for _ in range(3)],
        keys={name: fleet_signer(dice) for name in NAMES},
    )
    keys = _delegations(made.keys, home, away)
    former = Delegation(
        public=str(made.keys["former"].public),
        name="former",
        role=KeyRole.CONTROLLER,
        may=(TALK, DOCUMENT, "command:*"),
    )
    for version in range(1, VERSION + 2):  # the last one is on its way
        is_late = version >= VERSION - 1
        made.documents[version] = TrustDocument(
            fleet_id=made.id,
            version=version,
            roots=tuple(str(one.public) for one in made.roots),
            threshold=2,
            keys=keys if is_late else (*keys, former),
            revoked=(made.keys["revoked"].key_id, made.keys["former"].key_id) if is_late else (),
        )
    return made


@dataclass(frozen=True, slots=True)
class Device:
    """One node: its names and the key of its certificate."""

    node_id: str
    site_id: str
    signer: SoftwareSigner


class World:
    """Ours, theirs, and the devices. `target` is under attack."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        dice = random.Random(seed)
        self.home, self.away = new_site_id(dice.randbytes), new_site_id(dice.randbytes)
        self.ours, self.theirs = _fleet(dice, self.home, self.away), _fleet(dice, self.home, self.away)
        self.target = self._device(dice, self.home)
        self.neighbour = self._device(dice, self.home)
        self.stranger = self._device(dice, self.away)
        self.outsider = fleet_signer(dice)
        self.nonce, self.former_nonce = dice.randbytes(16).hex(), dice.randbytes(16).hex()
        self.epochs = {lane: new_epoch(9, lane, dice.randbytes) for lane in Lane}
        self.sent = SENT
        self.past = self.command(dice)
        self.done = [new_command_id(dice.randbytes) for _ in range(20)]  # commands that are remembered

    def _device(self, dice: random.Random, site_id: str) -> Device:
        return Device(new_node_id(dice.randbytes), site_id, device_signer(dice))

    def standing(self, clock: ClockQuality = ClockQuality.SYNCHRONIZED) -> Standing:
        """Return what the target knows of itself. An unsure clock shows any time."""
        return Standing(
            node_id=self.target.node_id,
            site_id=self.target.site_id,
            now=NOW if clock is ClockQuality.SYNCHRONIZED else 0,
            clock=clock,
            nonce=self.nonce,
            counter=COUNTER,
            generation=GENERATION,
            forced=NOW - DAY,
            issued=NOW - DAY,
            floor=FLOOR,
            known=frozenset(self.done),
        )

    # --- what would be heeded, and is then spoiled ----------------------------------------------------------------------

    def command(self, dice: random.Random, actions: Sequence[Action] = HARMLESS) -> Command:
        """Return a command that the target would heed, if the right keys signed it."""
        return Command(
            id=new_command_id(dice.randbytes),
            node=self.target.node_id,
            counter=COUNTER + dice.randint(1, 1000),
            issued=NOW - dice.randint(0, HOUR),
            expires=NOW + dice.randint(1, DAY),
            action=dice.choice(list(actions)),
            arguments={"unit": "k3s", "lines": dice.randint(1, 500)},
            asked_by=dice.choice(("alice", "bob", "")),
        )

    def document(self, dice: random.Random) -> SignedDocument:
        """Return a site document that the target would heed, if the right key signed it."""
        return SignedDocument(
            site_id=self.target.site_id,
            generation=GENERATION + dice.randint(1, 50),
            document={"name": "attacked", "nodes": [dice.getrandbits(40)]},
            issued=NOW - dice.randint(0, HOUR),
        )

    def trust(self, dice: random.Random) -> TrustDocument:
        """Return the next trust document, with whatever the attacker would like to see in it."""
        wish = Delegation(
            public=str(self.outsider.public),
            name="new",
            role=KeyRole.CONTROLLER,
            may=(TALK, DOCUMENT, "command:*"),
        )
        document = self.ours.documents[VERSION]
        return replace(document, version=VERSION + dice.randint(1, 9), keys=(*document.keys, wish))

    def ack(self, dice: random.Random) -> Ack:
        """Return an acknowledgement that would make the target let go of results or events, among others."""
        lanes = {dice.choice((Lane.RESULT, Lane.EVENT)), *dice.sample(list(Lane), dice.randint(0, 3))}
        acks = tuple(
            EpochAck(epoch=self.epochs[lane], upto=dice.randint(1, self.sent)) for lane in sorted(lanes)
        )
        return Ack(acks=acks, node=self.target.node_id)

    def order(self, dice: random.Random) -> Command | SignedDocument:
        """Return either kind of order."""
        return self.command(dice) if dice.random() < 0.6 else self.document(dice)

    def right(self, name: str = "controller") -> SoftwareSigner:
        """Return a key of the target's fleet."""
        return self.ours.keys[name]
