"""A node as the store hears it: makes arrivals in order, with its own epochs, clock and state."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from archipel_contract.facts import ClockQuality
from archipel_contract.link import delta
from archipel_contract.link.envelope import Envelope, payload
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.link.messages import (
    METRIC_NAMES,
    TYPE_OF,
    DeltaState,
    Event,
    EventKind,
    FullState,
    Gap,
    Hello,
    LinkPlan,
    Metrics,
    NodeState,
    Presence,
)
from archipel_contract.link.topics import shard_of
from archipel_contract.site import Role
from archipel_contract.status import Health
from archipel_contract.wire import to_data
from archipel_fleet.ports import Arrival

NOW = 1_795_330_800_000  # 2026-11-22 07:00 UTC
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def node_id(number: int) -> str:
    """The id of the `number`th node."""
    return f"n-{number:016d}"


def site_id(number: int) -> str:
    """The id of the `number`th site."""
    return f"s-{number:016d}"


@dataclass
class Speaker:
    """One node. `now` is when what it says next is received; its own clock is off by `clock_error`."""

    number: int = 1
    site: str = site_id(1)
    site_name: str = "Harbour"
    name: str = "pi-1"
    role: Role = Role.SERVER
    now: int = NOW
    clock: ClockQuality = ClockQuality.SYNCHRONIZED
    clock_error: int = 0
    booted: int = NOW - HOUR
    connection: int = 1
    counter: int = 1
    plan: LinkPlan = LinkPlan()
    fingerprint: str = "f1"
    state: dict[str, Any] = field(default_factory=dict)
    sequences: dict[int, int] = field(default_factory=dict)
    noise: int = 7
    signed_by: str = ""  # the key it signs with; empty before it has an identity

    @property
    def node_id(self) -> str:
        """Its id."""
        return node_id(self.number)

    def epoch(self, lane: Lane) -> int:
        """The epoch of one lane of this start."""
        return new_epoch(self.counter, lane, lambda size: self.noise.to_bytes(size, "big"))

    def said(self, body: Any, epoch: int = 0, sequence: int = 0, **more: Any) -> Arrival:
        """Any message; `at` in `more` is when it was made, by true time."""
        at = more.pop("at", self.now)
        retained = more.pop("retained", False)
        received = more.pop("received", self.now)
        envelope = Envelope(
            type=TYPE_OF[type(body)],
            epoch=epoch,
            sequence=sequence,
            at=at + self.clock_error,
            clock=self.clock,
            up=max(at - self.booted, 0),
            body=to_data(body),
        )
        envelope = replace(envelope, **more)
        return Arrival(
            node_id=self.node_id,
            shard=shard_of(self.site, self.node_id),
            received=received,
            envelope=envelope,
            body=body,
            payload=payload(envelope),
            retained=retained,
            signed_by=self.signed_by,
        )

    def next(self, body: Any, lane: Lane, **more: Any) -> Arrival:
        """A sequenced message, the next of its lane."""
        self.sequences[lane] = self.sequences.get(lane, 0) + 1
        return self.said(body, self.epoch(lane), self.sequences[lane], **more)

    def presence(self, connected: bool = True, **more: Any) -> Arrival:
        """Presence, or the will of this connection."""
        connection = more.pop("connection", self.connection)
        return self.said(Presence(connected=connected, connection=connection), **more)

    def hello(self, **changed: Any) -> Arrival:
        """Birth."""
        hello = Hello(
            site_id=self.site,
            site_name=self.site_name,
            node_name=self.name,
            role=self.role,
            hostname=f"host-{self.name}",
            fingerprint=self.fingerprint,
            boot="boot-1",
            connection=self.connection,
            epochs={str(int(lane)): self.epoch(lane) for lane in Lane},
            plan=self.plan,
            agent_version="0.1.0",
        )
        return self.said(replace(hello, **changed))

    def full(self, **changed: Any) -> Arrival:
        """The whole state; `changed` are fields of NodeState."""
        state = NodeState(
            node_name=self.name,
            role=self.role,
            site_id=self.site,
            site_name=self.site_name,
            health=Health.HEALTHY,
        )
        self.state = delta.compact(replace(state, **changed))
        return self.next(FullState(state=self.state, hash=delta.state_hash(self.state)), Lane.STATE)

    def changed(self, **fields: Any) -> Arrival:
        """A delta on what it said last."""
        before, self.state = self.state, {**self.state, **delta.compact(fields)}
        patch = delta.difference(before, self.state)
        body = DeltaState(base=delta.state_hash(before), patch=patch, hash=delta.state_hash(self.state))
        return self.next(body, Lane.STATE)

    def event(self, kind: EventKind = EventKind.NOTE, **more: Any) -> Arrival:
        """An event; fields of Event, or `at` for when it happened."""
        names = ("subject", "before", "after", "text", "params")
        fields = {name: more.pop(name) for name in names if name in more}
        return self.next(Event(kind=kind, **fields), Lane.EVENT, **more)

    def health(self, before: Health, after: Health, **more: Any) -> Arrival:
        """The event of a change of health."""
        return self.event(EventKind.HEALTH_CHANGED, before=str(before), after=str(after), **more)

    def gap(self, epoch: int, first: int, last: int = 0, count: int = 0) -> Arrival:
        """A declared gap."""
        return self.next(Gap(epoch=epoch, first=first, last=last, count=count), Lane.RESULT)

    def samples(self, start: int, *cpu: float, every: int = 300) -> Arrival:
        """Samples of the processor, `every` seconds from `start` by its own clock; the other columns are not read."""
        blank = (None,) * (len(METRIC_NAMES) - 1)
        points = tuple((float(place * every), value, *blank) for place, value in enumerate(cpu))
        return self.next(Metrics(start=start + self.clock_error, points=points), Lane.METRIC)

    def birth(self) -> list[Arrival]:
        """Everything a node says first."""
        return [self.presence(), self.hello(), self.full()]

    def restarted(self) -> "Speaker":
        """The same node after its agent started again."""
        return replace(
            self,
            counter=self.counter + 1,
            connection=self.connection + 1,
            sequences={},
            state=dict(self.state),
        )


def births(speakers: Iterable[Speaker]) -> list[Arrival]:
    """The births of several nodes."""
    return [one for speaker in speakers for one in speaker.birth()]
