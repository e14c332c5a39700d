"""The device's order gate out of the pure rule alone, as an attack sees it: something arrives, and it acts or does not.

The parts come from a `Rule`, so that `mutants` can put a weakened one in its place.
"""

from dataclasses import dataclass
from types import ModuleType

from archipel_contract.facts import ClockQuality
from archipel_contract.link import envelope as real_envelope
from archipel_contract.link.envelope import FRAME_LIMIT, EnvelopeInvalid, Frame
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import Ack
from archipel_contract.link.topics import Down
from archipel_contract.trust import orders as real_orders
from archipel_contract.trust import store as real_store
from archipel_contract.wire import WireError, from_data
from tests.chaos.hostile.world import VERSION, World

KEPT = {Lane.RESULT, Lane.EVENT}  # what only a signed acknowledgement lets go


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message to the device. `clock` is the device's when it arrives."""

    kind: str
    channel: Down
    wire: bytes
    clock: ClockQuality = ClockQuality.SYNCHRONIZED


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the device made of it; `code` of the finding where it refused."""

    accepted: bool
    code: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """The modules that decide."""

    envelope: ModuleType = real_envelope
    store: ModuleType = real_store
    orders: ModuleType = real_orders


class PureGate:
    """Judges every attempt from the same standing."""

    def __init__(self, world: World, rule: Rule | None = None) -> None:
        self._world, self._rule = world, rule or Rule()
        self._trust = self._rule.store.TrustStore(world.ours.documents[VERSION])

    def hear(self, attempt: Attempt) -> Verdict:
        """Return what the device does with it. Whatever is no refusal of ours counts as taken over."""
        try:
            frame = self._rule.envelope.frame_in(attempt.wire)
            if len(frame.payload) > FRAME_LIMIT:
                return Verdict(True, "unpacked")
            return Verdict(self._acts(attempt, frame), "unchanged")
        except self._rule.orders.Repeated:
            return Verdict(False, "repeated")
        except (EnvelopeInvalid, WireError, self._rule.envelope.EnvelopeInvalid) as refused:
            return Verdict(False, getattr(refused, "code", "message-malformed"))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return Verdict(True, f"fell over: {error!r}")

    def _acts(self, attempt: Attempt, frame: Frame) -> bool:
        standing = self._world.standing(attempt.clock)
        orders = self._rule.orders
        if attempt.channel is Down.COMMAND:
            orders.command(frame, self._trust, standing)
        elif attempt.channel is Down.DOCUMENT:
            orders.document(frame, self._trust, standing)
        elif attempt.channel is Down.TRUST:
            return self._trust.after(frame) is not self._trust
        elif attempt.channel is Down.ACK:
            envelope = self._rule.envelope.envelope_from(frame.payload)
            ack = from_data(Ack, envelope.body)
            if envelope.type != "ack" or not KEPT & {lane_of(one.epoch) for one in ack.acks}:
                return False
            orders.acknowledgement(ack, frame, self._trust, standing)
        return True
