"""One batch of arrivals, applied in memory and written in one transaction: the ingest path.

`Batch` knows sequences, acknowledgements and presence; what a message says about a node's state is in `stating`, what it
adds to history in `telling`, and how sites come about and sum up their nodes in `placing`. Called by `store` under its lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from archipel_contract.audit import AuditEntries
from archipel_contract.commands import Result as OrderResult
from archipel_contract.link import epochs
from archipel_contract.link.messages import (
    Ask,
    DeltaState,
    EpochAck,
    Event,
    FullState,
    Gap,
    Hello,
    Metrics,
    Presence,
    Wanted,
    Welcome,
)
from archipel_fleet.domain import contact
from archipel_fleet.domain.reckoning import boot_began
from archipel_fleet.domain.summary import number, text
from archipel_fleet.ports import Arrival, Taken
from archipel_fleet.storage import auditing
from archipel_fleet.storage.placing import Places
from archipel_fleet.storage.rows import Epoch, Node
from archipel_fleet.storage.standing import Standings
from archipel_fleet.storage.stating import States
from archipel_fleet.storage.telling import History
from archipel_fleet.storage.working import EpochKey, Working

SEQUENCED = (FullState, DeltaState, Event, Gap, Metrics, OrderResult, AuditEntries)


@dataclass(slots=True)
class Context:
    """What every part of a batch needs."""

    connection: sa.Connection
    working: Working
    incarnation: str
    listening_since: int
    listened: int


@dataclass(slots=True)
class Result:
    """What a batch leaves to say; becomes `Taken` after the commit."""

    touched: dict[EpochKey, Epoch] = field(default_factory=dict)
    welcomes: dict[str, Welcome] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)
    duplicates: int = 0

    def taken(self, changed_sites: frozenset[str]) -> Taken:
        """Return it for the caller."""
        acks: dict[str, tuple[EpochAck, ...]] = {}
        for (node_id, which), epoch in self.touched.items():
            acks[node_id] = (*acks.get(node_id, ()), epoch.done.ack(which, epoch.top))
        return Taken(
            acks=acks,
            welcomes=self.welcomes,
            asks=self.asks,
            duplicates=self.duplicates,
            changed_sites=changed_sites,
        )


class Batch:
    """Applies arrivals in their order; `flush` writes everything."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._working = context.working
        self._places = Places(context.connection, context.working, context.listened)
        self._states = States(context.connection)
        self._history = History(context.connection)
        self._standings = Standings(context.connection, context.incarnation)
        self.result = Result()
        self._handlers: dict[type[Any], Callable[[Node, Epoch, Arrival], bool]] = {
            FullState: self._state,
            DeltaState: self._state,
            Event: self._event,
            Gap: self._gap,
            Metrics: self._metrics,
            OrderResult: self._order_result,
            AuditEntries: self._audit,
        }

    def run(self, arrivals: Sequence[Arrival]) -> Taken:
        """Apply and write all of `arrivals`; the commit is the caller's."""
        keys = {(one.node_id, one.envelope.epoch) for one in arrivals if one.envelope.epoch}
        keys |= {(one.node_id, one.body.epoch) for one in arrivals if isinstance(one.body, Gap)}
        for one in arrivals:
            if isinstance(one.body, Hello):
                self._places.claims[one.node_id] = one.body.site_id
                keys |= {(one.node_id, epoch) for epoch in one.body.epochs.values()}
        self._working.load(self._context.connection, {one.node_id for one in arrivals}, keys)
        self._states.load({one.node_id for one in arrivals if isinstance(one.body, FullState | DeltaState)})
        for one in arrivals:
            self._apply(one)
        self._states.flush()
        self._history.flush()
        changed = self._places.sum_up()
        self._working.flush(self._context.connection)
        return self.result.taken(changed)

    def _apply(self, arrival: Arrival) -> None:
        body = arrival.body
        node = self._places.node(arrival)
        if isinstance(body, Presence):
            self._presence(node, arrival, body)
        elif isinstance(body, Hello):
            self._hello(node, arrival, body)
        elif isinstance(body, SEQUENCED) and arrival.envelope.epoch and arrival.envelope.sequence:
            self._sequenced(node, arrival)
        else:
            return
        self._working.node_changed(node)

    def _heard(self, node: Node, at: int) -> None:
        node.heard = at
        node.lost = None if node.connected else node.lost
        node.pulse = contact.pulse(node.known_contact, self._context.listening_since)

    # --- what is not sequenced ---------------------------------------------------------------------------------------

    def _presence(self, node: Node, arrival: Arrival, said: Presence) -> None:
        if said.connection < node.connection:
            return  # the will of a connection that a newer one has replaced
        if said.connected:
            ended = said.connection == node.connection > 0 and not node.connected and node.lost is not None
            if ended and not arrival.retained:
                ended = False  # the node itself says so again: the broker was wrong to give it up
            node.connection = number(said.connection)
            node.connected = not ended
            node.confirmed = arrival.received
            if arrival.retained:
                node.pulse = contact.pulse(node.known_contact, self._context.listening_since)
            else:
                self._heard(node, arrival.received)
        else:
            node.connection = number(said.connection)
            if node.connected or node.lost is None:
                node.lost = arrival.received
            node.connected = False
            node.pulse = contact.pulse(node.known_contact, self._context.listening_since)
        self._places.pulse_changed(node, arrival.received)

    def _hello(self, node: Node, arrival: Arrival, said: Hello) -> None:
        self._who(node, arrival, said)
        if said.connection > node.connection or node.lost is None or said.connection == 0:
            node.connected, node.connection = True, number(said.connection)
        node.confirmed = arrival.received
        plan = said.plan
        node.mode, node.every = str(plan.mode), number(plan.every, 1)
        node.grace = contact.grace(node.plan)
        node.agent_version = text(said.agent_version)
        node.waiting = number(sum(number(count) for count in said.waiting.values()))
        node.clock = str(arrival.envelope.clock)
        node.clock_offset = max(-(1 << 62), min(1 << 62, arrival.envelope.at - arrival.received))
        node.rehearsed = said.rehearsed
        self._heard(node, arrival.received)
        booted = boot_began(arrival.received, arrival.envelope.up)
        for epoch in said.epochs.values():
            if 0 < epoch < 1 << 63:
                known = self._working.epoch(node, epoch)
                known.booted, known.updated = booted, arrival.received
                self._working.epoch_changed(known)
        self._places.pulse_changed(node, arrival.received)
        self._places.content_changed(node)
        self._still_so(node, said.state_hash, arrival.received)
        self.result.welcomes[node.node_id] = Welcome(
            incarnation=self._context.incarnation,
            connection=said.connection,
            state_hash=node.state_hash,
            nonce=said.nonce,
            audit=self._standings.hello(node, said, arrival.received) if arrival.signed_by else 0,
        )

    def _who(self, node: Node, arrival: Arrival, said: Hello) -> None:
        """Notice a second machine with this node id: other hardware, or starts that are not those of one machine."""
        numbers = [one for one in said.epochs.values() if 0 < one < 1 << 63]
        counter = max((epochs.counter_of(one) for one in numbers), default=node.counter)
        fingerprint, hostname = text(said.fingerprint), text(said.hostname)
        other_hardware = bool(fingerprint and node.fingerprint and fingerprint != node.fingerprint)
        if other_hardware or counter < node.counter or _another_start(numbers, node.state_epoch):
            node.twin, node.twin_at = node.hostname or node.node_id, arrival.received
        node.fingerprint = fingerprint or node.fingerprint
        node.hostname = hostname or node.hostname
        node.counter, node.boot = counter, text(said.boot)
        node.shard = arrival.shard

    # --- what is sequenced -------------------------------------------------------------------------------------------

    def _sequenced(self, node: Node, arrival: Arrival) -> None:
        envelope = arrival.envelope
        self._heard(node, arrival.received)
        self._places.pulse_changed(node, arrival.received)
        epoch = self._working.epoch(node, envelope.epoch)
        sequence = envelope.sequence
        if sequence in epoch.done and sequence not in epoch.lost:
            self.result.duplicates += 1
        elif not epoch.done.fits(sequence) or not self._handlers[type(arrival.body)](node, epoch, arrival):
            return
        else:
            if sequence in epoch.lost:
                epoch.lost.remove(sequence)
                self._history.found_after_all(node, envelope.epoch, sequence)
            epoch.done.add(sequence, sequence)
        for needless in envelope.replaces:
            if 0 < needless < sequence and epoch.done.fits(needless):
                epoch.done.add(needless, needless)
        epoch.top = max(epoch.top, sequence)
        epoch.updated = arrival.received
        self._touched(epoch)

    def _touched(self, epoch: Epoch) -> None:
        self._working.epoch_changed(epoch)
        self.result.touched[epoch.node_id, epoch.epoch] = epoch

    def _state(self, node: Node, epoch: Epoch, arrival: Arrival) -> bool:
        if self._stale(node, arrival):
            return True
        applied = self._states.apply(node, arrival.body)
        if isinstance(applied, Ask):
            self.result.asks[node.node_id] = applied
            return False
        self.result.asks.pop(node.node_id, None)
        node.state_epoch, node.state_sequence = arrival.envelope.epoch, arrival.envelope.sequence
        at, _ = self._history.reckoned(node, epoch, arrival)
        if self._states.summarise(node, applied, at, arrival.received):
            self._history.health_became(node, arrival, at)
        self._places.belongs(node, applied.site_id, applied.site_name, arrival)
        self._places.content_changed(node)
        if not node.state_hash:  # it came from another customer, and what it said there stays there
            self.result.asks[node.node_id] = Ask(wanted=Wanted.FULL, why="the node came to another site")
        return True

    def _stale(self, node: Node, arrival: Arrival) -> bool:
        """Return whether a newer state is known already: of two of one start the later, of two starts the later's."""
        epoch = arrival.envelope.epoch
        if epoch == node.state_epoch:
            return arrival.envelope.sequence <= node.state_sequence
        return epochs.counter_of(epoch) < node.counter

    def _event(self, node: Node, epoch: Epoch, arrival: Arrival) -> bool:
        self._history.event(node, epoch, arrival)
        self._places.content_changed(node)
        return True

    def _metrics(self, node: Node, epoch: Epoch, arrival: Arrival) -> bool:
        self._history.metrics(node, epoch, arrival)
        self._places.seen(node)
        self._still_so(node, arrival.body.state, arrival.received)
        return True

    def _still_so(self, node: Node, state_hash: str, at: int) -> None:
        """The node says that the state with this hash still holds: where it is the one held, our word on it is fresh."""
        if state_hash and state_hash == node.state_hash and node.health_heard is not None:
            node.health_heard = at
            self._places.content_changed(node)

    def _gap(self, node: Node, _: Epoch, arrival: Arrival) -> bool:
        gap: Gap = arrival.body
        if not 0 < gap.epoch < 1 << 63 or not 0 < gap.first < 1 << 63 or not 0 <= gap.last < 1 << 63:
            return True  # declares nothing that could exist
        target = self._working.epoch(node, gap.epoch)
        self._history.gap(node, target, gap, arrival.received)
        target.updated = arrival.received
        self._touched(target)
        self._places.content_changed(node)
        return True

    def _order_result(self, node: Node, _: Epoch, arrival: Arrival) -> bool:
        if arrival.signed_by and self._standings.result(node, arrival.body, arrival.received):
            self._places.content_changed(node)
        return True

    def _audit(self, node: Node, epoch: Epoch, arrival: Arrival) -> bool:
        if not arrival.signed_by:
            return True  # nobody's word, and nobody will say it better
        waits = (
            bool(epoch.done.missing(1, arrival.envelope.sequence - 1))
            if arrival.envelope.sequence > 1
            else False
        )
        whose = {"node_id": node.node_id, "site_id": node.site_id, "customer": node.customer}
        problem = auditing.receive(self._context.connection, whose, arrival.body, (arrival.received, waits))
        if problem:
            self._standings.misfit(node, problem, arrival.received)
        self._places.content_changed(node)
        return problem is not None


def _another_start(numbers: Sequence[int], known: int) -> bool:
    """Return whether one of the epochs has counter and lane of a `known` one and is yet another: two copies of a memory card
    count their starts alike, and differ in the random part."""
    place = known >> epochs.RANDOM_BITS
    return any(one != known and one >> epochs.RANDOM_BITS == place for one in numbers)
