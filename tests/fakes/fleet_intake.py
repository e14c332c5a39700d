"""The two sides of the controller's ingest: a broker that delivers what a test puts into it, and a store that remembers.

Time passes only when the ingest waits; what a test planned for a moment happens when that moment comes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from archipel_contract.link import envelope, topics
from archipel_contract.link.carrier import Arrived, CarrierFailed, Incoming, Lost, Outgoing
from archipel_contract.link.envelope import Envelope
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.link.messages import KINDS, TYPE_OF, EpochAck, Hello, Welcome
from archipel_contract.wire import to_data
from archipel_fleet.ports import Arrival, Note, StoreFailed, Taken

NOW = 1_795_334_400_000  # 2026-11-22 08:00 UTC
SITE = "s-0000000000000001"
NODE = "n-0000000000000001"
OTHER = "n-0000000000000002"


@dataclass(slots=True)
class SteppedTime:
    """Implements ports.Clock, and the end of the controller as `link.surroundings.Stop` has it."""

    milliseconds: int = NOW
    seconds: float = 100.0
    ended: bool = False
    planned: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def now(self) -> int:
        """See ports.Clock."""
        return self.milliseconds

    def monotonic(self) -> float:
        """See ports.Clock."""
        return self.seconds

    def is_set(self) -> bool:
        """See Stop."""
        return self.ended

    def wait(self, timeout: float) -> bool:
        """See Stop: the time passes at once, and what was planned for it happens."""
        until = self.seconds + timeout
        while not self.ended and self.seconds < until:
            self.step(until)
        return self.ended

    def step(self, until: float) -> None:
        """Go on to the next thing planned, or to `until` where there is none before."""
        if self.planned and self.planned[0][0] <= until:
            at, action = self.planned.pop(0)
            self.pass_by(max(0.0, at - self.seconds))
            action()
        else:
            self.pass_by(until - self.seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.seconds += seconds
        self.milliseconds += round(seconds * 1000)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Plan something."""
        self.planned.append((self.seconds + seconds, action))
        self.planned.sort(key=lambda one: one[0])

    def end(self) -> None:
        """Set the end."""
        self.ended = True


class PlannedBroker:
    """Implements Carrier: delivers `inbox`, keeps what was sent, and is away while `away` says why."""

    def __init__(self, time: SteppedTime) -> None:
        self._time = time
        self.inbox: list[Arrived] = []
        self.sent: list[Outgoing] = []
        self.acknowledged: list[Incoming] = []
        self.opened: list[Outgoing | None] = []
        self.closed: list[bool] = []  # whether orderly
        self.filters: list[tuple[str, int]] = []
        self.away = ""
        self.is_open = False
        self.full = False
        self.reads = 0

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """See Carrier."""
        if self.away:
            raise CarrierFailed("link-broker-away", self.away)
        self.opened.append(will)
        self.is_open = True

    def subscribe(self, filters: Sequence[tuple[str, int]], timeout: float = 30.0) -> None:
        """See Carrier."""
        self.filters = list(filters)

    def send(self, message: Outgoing) -> bool:
        """See Carrier."""
        if not self.is_open:
            raise CarrierFailed("link-broker-away", "not connected")
        if self.full:
            return False
        self.sent.append(message)
        return True

    def receive(self, timeout: float | None) -> tuple[Arrived, ...]:
        """See Carrier; with nothing to deliver the time passes."""
        self.reads += 1
        until = self._time.seconds + (timeout or 0.0)
        while not self.inbox and not self._time.ended and self._time.seconds < until:
            self._time.step(until)
        arrived, self.inbox = tuple(self.inbox), []
        return arrived

    def wake(self) -> None:
        """See Carrier."""

    def acknowledge(self, incoming: Incoming) -> None:
        """See Carrier."""
        self.acknowledged.append(incoming)

    def unsent(self) -> int:
        """See Carrier."""
        return 0

    def close(self, orderly: bool = True) -> None:
        """See Carrier."""
        if self.is_open:
            self.closed.append(orderly)
        self.is_open = False

    def drop(self, why: str = "the broker ended") -> None:
        """End the connection from the other side."""
        self.is_open = False
        self.inbox.append(Lost(code="link-broker-away", detail=why))

    def said(self) -> list[tuple[str, Envelope]]:
        """What was sent, read again: (topic, envelope)."""
        return [(one.topic, envelope.from_wire(one.payload)[1]) for one in self.sent]


class RememberingStore:
    """Implements ports.Intake: commits into memory, acknowledges, fails as long as a test says."""

    incarnation = "life-1"

    def __init__(self) -> None:
        self.committed: list[Arrival] = []
        self.batches: list[int] = []
        self.heard: list[tuple[int, int]] = []
        self.sweeps = 0
        self.retained = 0
        self.failing = ""  # a code of StoreFailed
        self.stumbles_over: Callable[[Arrival], bool] = lambda arrival: False
        self.attempts = 0
        self.notes: list[Note] = []

    def noted(self, notes: Sequence[Note], now: int) -> frozenset[str]:
        """See ports.Intake."""
        self._check()
        self.notes += notes
        return frozenset({SITE})

    def take(self, arrivals: Sequence[Arrival]) -> Taken:
        """See ports.Intake."""
        self.attempts += 1
        if self.failing:
            raise StoreFailed(self.failing, "made to fail by the test")
        if any(self.stumbles_over(one) for one in arrivals):
            raise OverflowError("made to stumble by the test")
        known = {(one.node_id, one.envelope.epoch, one.envelope.sequence) for one in self.committed}
        acks: dict[str, tuple[EpochAck, ...]] = {}
        welcomes: dict[str, Welcome] = {}
        for one in arrivals:
            if isinstance(one.body, Hello):
                welcomes[one.node_id] = Welcome(
                    incarnation=self.incarnation, connection=one.body.connection, nonce=one.body.nonce
                )
            if one.envelope.sequence:
                acks[one.node_id] = (EpochAck(epoch=one.envelope.epoch, upto=one.envelope.sequence),)
        repeated = [
            one
            for one in arrivals
            if one.envelope.sequence and (one.node_id, one.envelope.epoch, one.envelope.sequence) in known
        ]
        self.committed += [one for one in arrivals if one not in repeated]
        self.batches.append(len(arrivals))
        return Taken(acks=acks, welcomes=welcomes, duplicates=len(repeated), changed_sites=frozenset({SITE}))

    def listening(self, since: int, now: int) -> None:
        """See ports.Intake."""
        self._check()
        self.heard.append((since, now))

    def sweep(self, now: int) -> frozenset[str]:
        """See ports.Intake."""
        self._check()
        self.sweeps += 1
        return frozenset({SITE})

    def retain(self, now: int) -> int:
        """See ports.Intake."""
        self._check()
        self.retained += 1
        return 0

    def _check(self) -> None:
        if self.failing:
            raise StoreFailed(self.failing, "made to fail by the test")


def epoch(lane: Lane) -> int:
    """The epoch of a lane in the first start of a node."""
    return new_epoch(1, lane, bytes)


def message(body: object, node_id: str = NODE, site_id: str = SITE, sequence: int = 1) -> Incoming:
    """A body as its node sends it: right topic, right epoch, right QoS."""
    kind = KINDS[TYPE_OF[type(body)]]
    said = Envelope(
        type=kind.name,
        at=NOW,
        epoch=0 if kind.lane is None else epoch(kind.lane),
        sequence=0 if kind.lane is None else sequence,
        body=to_data(body),
    )
    assert isinstance(kind.channel, topics.Up)
    topic = topics.up(topics.shard_of(site_id, node_id), node_id, kind.channel)
    token = (1, sequence) if kind.qos else None
    return Incoming(topic=topic, payload=envelope.to_wire(said), token=token)


def hello(node_id: str = NODE, site_id: str = SITE, connection: int = 1) -> Incoming:
    """A birth message."""
    return message(Hello(site_id=site_id, node_name="boathouse-1", connection=connection), node_id, site_id)
