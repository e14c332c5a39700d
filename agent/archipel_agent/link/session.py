"""One carrier, one conversation after the other: connects when it is time, says what the engine wants, hears the answers.

`link` calls `step` again and again from its thread; every call to the carrier is made here, none of them under the lock.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archipel_agent.link.calls import Broke, Calls, Verdict
from archipel_agent.link.engine import Draft, Engine
from archipel_agent.link.entries import Stamp
from archipel_agent.link.hearing import Hearing
from archipel_agent.link.identity import LinkIdentity
from archipel_agent.link.memory import Memory
from archipel_agent.link.schedule import Schedule
from archipel_agent.ports import Clock
from archipel_agent.state.database import StateUnusable
from archipel_contract.link import topics
from archipel_contract.link.carrier import Carrier, CarrierFailed, Incoming, Lost, Outgoing
from archipel_contract.link.delta import compact
from archipel_contract.link.envelope import (
    Envelope,
    EnvelopeInvalid,
    Signs,
    to_wire,
)
from archipel_contract.link.messages import KINDS, TYPE_OF, Ack, Ask, Hello, Presence, Welcome
from archipel_contract.link.topics import Up
from archipel_contract.wire import from_json, to_data

LOG = logging.getLogger(__name__)
OPEN_SECONDS = 30.0
REFUSED_WAIT = 5.0  # for room in the carrier's window, should it not say when there is some
# Not for calls that hang up: whether the controller is there they learn by their hello, and this word would be a tenth of
# their bytes. On a line that is kept it says that the controller was away, or is another.
CONTROLLER = (topics.CONTROLLER_PRESENCE, 0)
LEAST_WAIT = 0.01  # what was due has been said, so there is nothing to hurry for
LONGEST_SPREAD = 3600.0  # whatever the controller asks for
SHUT_SECONDS = 2.0  # for the last word to leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a session needs of others."""

    node_id: str
    calls: Calls | None
    """Where the node dials in."""
    clock: Clock
    carrier: Carrier
    memory: Memory
    engine: Engine
    schedule: Schedule
    lock: threading.RLock
    stamp: Callable[[], Stamp]
    hello: Callable[[int], Hello]
    """Return what to say at the beginning of the connection with this number."""
    site_id: Callable[[], str]
    identity: LinkIdentity


class Session:
    """The conversation of one node."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._shard = -1
        self._connection = 0
        self._refused_until: float | None = None
        self.is_connected = False
        self.code, self.message = "", ""  # what went wrong last; empty once all is well again
        self._hearing = Hearing(around.node_id, around.identity, around.clock)
        self.spread = 0.0  # over how long the controller last asked returning nodes to come

    # --- one step ----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Do what is to be done now, then wait for something to arrive, for the next thing to do, or for `wake`."""
        around, now = self._around, self._around.clock.monotonic()
        if not self.is_connected:
            if now < around.schedule.next_at:
                around.carrier.receive(max(LEAST_WAIT, around.schedule.next_at - now))
                return
            self._connect()
        elif self._shard != topics.shard_of(around.site_id(), around.node_id):
            self._move()
        elif self.is_resting:
            self._rest(now)
        else:
            self._converse(now)

    @property
    def is_resting(self) -> bool:
        """Whether the line is kept, and nothing is said on it before the next call."""
        calls = self._around.calls
        return self.is_connected and calls is not None and calls.is_resting

    def _converse(self, now: float) -> None:
        around = self._around
        try:
            self._say()
        except CarrierFailed as error:
            self._end(error.code, str(error))
            return
        with around.lock:
            verdict = self._verdict(now)
            is_unheard = around.engine.is_unheard(around.clock.monotonic())
            wait = self._wait(around.clock.monotonic())
        if verdict in (Verdict.OVER, Verdict.FLEET_AWAY):
            self._finish(verdict)
        elif verdict is not Verdict.GOES_ON:
            self._end("link-unanswered", "the fleet's controller did not answer the call")
        elif is_unheard:
            self._end("link-unanswered", "the connection stands, but the fleet's controller does not answer")
        else:
            self._hear(wait)

    def _verdict(self, now: float) -> Verdict:
        around, calls = self._around, self._around.calls
        if calls is None:
            return Verdict.GOES_ON
        engine = around.engine
        is_idle = engine.is_idle(now) and not around.carrier.unsent()
        return calls.judge(now, engine.answered_at, is_idle=is_idle, is_fleet_away=engine.is_absent)

    def _wait(self, now: float) -> float | None:
        around = self._around
        wait = around.engine.wait(now)
        if self._refused_until is not None:
            wait = self._refused_until - now
        if around.calls is not None:
            until = around.calls.until(now, around.engine.answered_at, around.engine.is_idle(now))
            left = max(LEAST_WAIT, until - now)
            wait = min(left, wait) if wait is not None else left
        return None if wait is None else max(LEAST_WAIT, wait)

    def _rest(self, now: float) -> None:
        """Hear what comes on a line that is kept, until the next call begins on it."""
        around = self._around
        assert around.calls is not None  # see is_resting
        if now < around.schedule.next_at:
            self._hear(max(LEAST_WAIT, around.schedule.next_at - now))
            return
        with around.lock:
            if around.engine.is_absent:  # it says when it is back; until then nobody would answer
                self.code, self.message = (
                    "link-unanswered",
                    "the fleet's controller is away, and will say when it is back",
                )
                around.schedule.called(now, around.clock.now().timestamp())
                return
            around.calls.resumed(now)
            if around.engine.is_idle(now):
                around.engine.greet(now)  # with nothing else to say: that the node is well

    # --- beginnings and ends -----------------------------------------------------------------------------------------

    def _connect(self) -> None:
        around = self._around
        shard = topics.shard_of(around.site_id(), around.node_id)
        listens = around.calls is None or around.calls.may_hold(around.clock.monotonic())
        try:
            self._connection = around.memory.next_connection()
            around.identity.begin()
            around.carrier.open(_presence(around, shard, self._connection, False), OPEN_SECONDS)
            # QoS 0 for both: presence is retained, and what is missed is noticed by answers that do not come. For QoS 1
            # nats-server keeps a consumer on its disk for each subscription, and refuses more than a thousand.
            around.carrier.subscribe(
                [(topics.down_filter(shard, around.node_id), 0), *((CONTROLLER,) if listens else ())],
                OPEN_SECONDS,
            )
            _clear(around, around.memory.shard, shard)
            if (
                around.calls is None
            ):  # a call says by its hello that it stands, and by its will that it is over
                around.carrier.send(_presence(around, shard, self._connection, True))
            if around.memory.shard != shard:
                around.memory.shard = shard
            around.memory.use()
        except (CarrierFailed, StateUnusable) as error:  # without a number on disk there is no connection
            self._end(error.code, str(error))
            return
        now = around.clock.monotonic()
        self._shard, self.is_connected, self._refused_until = shard, True, None
        if around.calls is not None:
            around.calls.connected(now)
        around.schedule.connected(now)
        with around.lock:
            around.engine.connected(self._connection, now)

    def _end(self, code: str, detail: str) -> None:
        """The connection is gone, or there was none."""
        around, now = self._around, self._around.clock.monotonic()
        was = around.calls.ended(around.engine.answered_at) if around.calls is not None else Broke.IN_USE
        self._close()
        if was is Broke.KEPT:
            LOG.info("the line that was kept is gone (%s); the next call makes another", detail)
        elif was is Broke.DEAD:
            LOG.info("the line that was kept is dead; making another")
            around.schedule.redial(now)
        else:
            self.code, self.message = code, detail
            around.schedule.ended(now, around.clock.now().timestamp(), code, self.spread)
            LOG.info("%s; next attempt in %.0f s", detail, around.schedule.next_at - now)

    def _finish(self, verdict: Verdict) -> None:
        """End a call that was heard, or that nobody can hear, and keep the line if that is worth it.

        Else hang up without a farewell: the broker then publishes the will, which says that the call is over.
        """
        around, now = self._around, self._around.clock.monotonic()
        assert around.calls is not None  # only dial-in ends calls
        if verdict is Verdict.FLEET_AWAY:
            self.code, self.message = (
                "link-unanswered",
                "the fleet's controller is away; it says when it is back",
            )
        if not around.calls.finished(now, verdict):
            self._close()
        around.schedule.called(now, around.clock.now().timestamp())

    def _close(self) -> None:
        """End the connection without a farewell; the engine will say again what was under way."""
        self._around.carrier.close(orderly=False)
        self.is_connected = False
        with self._around.lock:
            self._around.engine.disconnected()

    def _move(self) -> None:
        """The node belongs to another shard now: say good-bye where it was and connect anew."""
        LOG.info("the node changed its place in the fleet; connecting anew")
        self.leave()
        self._around.schedule.at_once(self._around.clock.monotonic())

    def leave(self) -> None:
        """Say that this connection ends, and end it."""
        around = self._around
        if not self.is_connected:
            return
        try:
            around.carrier.send(_presence(around, self._shard, self._connection, False))
            until = around.clock.monotonic() + SHUT_SECONDS
            while around.carrier.unsent() and around.clock.monotonic() < until:
                for one in around.carrier.receive(0.2):
                    self._take(one)
        except CarrierFailed as error:
            LOG.info("left without a word: %s", error)
        around.carrier.close(orderly=True)
        self.is_connected = False
        with around.lock:
            around.engine.disconnected()

    # --- saying ------------------------------------------------------------------------------------------------------

    def _say(self) -> None:
        around = self._around
        self._refused_until = None
        while True:
            with around.lock:
                draft = around.engine.next(around.clock.monotonic())
                message = self._message(draft) if draft is not None else None
            if draft is None:
                return
            if message is None:
                continue  # it was given up
            if not around.carrier.send(message):
                self._refused_until = around.clock.monotonic() + REFUSED_WAIT
                return
            with around.lock:
                around.engine.sent(draft, around.clock.monotonic())

    def _message(self, draft: Draft) -> Outgoing | None:
        """Return a draft as it travels; None where it is too large for any broker."""
        around = self._around
        body = around.hello(self._connection) if draft.type == "hello" else draft.body
        kind = KINDS[draft.type]
        topic = topics.up(self._shard, around.node_id, Up(kind.channel))
        stamp = draft.stamp or around.stamp()
        try:
            signers = around.identity.signers() if kind.signed else ()
            return Outgoing(topic=topic, payload=_wire(draft, body, stamp, signers), qos=kind.qos)
        except EnvelopeInvalid as error:
            LOG.error("%s; it is given up", error)
            around.engine.refused(draft, around.stamp())
            return None

    # --- hearing -----------------------------------------------------------------------------------------------------

    def _hear(self, wait: float | None) -> None:
        for one in self._around.carrier.receive(wait):
            self._take(one)

    def _take(self, one: Incoming | Lost) -> None:
        if isinstance(one, Lost):
            if self.is_connected:
                self._end(one.code, one.detail)
            return
        body = self._hearing.take(one)
        if body is not None:
            with self._around.lock:
                self._heard(body, self._around.clock.monotonic())
            if isinstance(body, Welcome):
                self._around.identity.audited(body.audit)
        self._around.carrier.acknowledge(one)

    def _heard(self, body: Any, now: float) -> None:
        around = self._around
        if isinstance(body, Presence):
            self.spread = min(LONGEST_SPREAD, max(0.0, body.spread_seconds))  # of what is no number: 0
            around.engine.presence(replace(body, spread_seconds=self.spread), now)
        elif isinstance(body, Welcome):
            self._welcomed(body, now)
        elif isinstance(body, Ack):
            around.engine.acknowledged(body, now)
        elif isinstance(body, Ask):
            around.engine.asked(body, now)
        if around.engine.is_welcome:
            self.code, self.message = "", ""
        if self.is_resting and isinstance(body, Presence | Ask) and not around.engine.is_absent:
            wait = around.engine.wait(now)
            if wait is not None:  # it wants to hear something
                around.schedule.sooner(now + wait)

    def _welcomed(self, said: Welcome, now: float) -> None:
        around = self._around
        if not around.engine.welcome(said, now):
            return
        known = around.memory.incarnation
        if known and known != said.incarnation:
            LOG.info("the fleet's controller was restored from a copy; offering again what is kept")
            if not around.engine.restored(around.stamp()):
                return
        try:
            around.memory.incarnation = said.incarnation
        except StateUnusable as error:
            LOG.warning("all is offered again after the next start: %s", error)


def _presence(around: Surroundings, shard: int, connection: int, connected: bool) -> Outgoing:
    said = Presence(connected=connected, connection=connection)
    kind = KINDS["presence"]
    payload = _wire(Draft(type="presence", body=said), said, around.stamp())
    topic = topics.up(shard, around.node_id, Up.PRESENCE)
    return Outgoing(topic=topic, payload=payload, qos=kind.qos, retained=kind.retained)


def _clear(around: Surroundings, before: int | None, shard: int) -> None:
    """Have the broker forget this node's presence at the place it left."""
    if before is not None and before != shard:
        topic = topics.up(before, around.node_id, Up.PRESENCE)
        around.carrier.send(Outgoing(topic=topic, payload=b"", qos=1, retained=True))


def _wire(draft: Draft, body: Any, stamp: Stamp, signers: Sequence[Signs] = ()) -> bytes:
    if isinstance(body, Hello):
        data = compact(body)  # said on every connection: what has its default need not travel
    else:
        data = from_json(dict[str, Any], body) if isinstance(body, bytes) else to_data(body)
    envelope = Envelope(
        type=TYPE_OF.get(type(body), draft.type),
        epoch=draft.key[0],
        sequence=draft.key[1],
        at=stamp.at,
        clock=stamp.clock,
        up=stamp.up,
        replaces=draft.replaces,
        body=data,
    )
    return to_wire(envelope, signers=signers)
