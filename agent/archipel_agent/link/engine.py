"""What to say next: hello until the controller answers, then the newest state, results, events, and samples last. Pure.

Driven by `session` with what the carrier delivers and with the time; it looks into `lanes` and calls no network.
Everything sequenced is sent again until the controller acknowledges it; only then `lanes` lets go of it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archipel_agent.link.entries import Entry, Key, Range, Stamp
from archipel_agent.link.flights import Flights
from archipel_agent.link.gaps import Loss
from archipel_agent.link.lanes import Lanes
from archipel_agent.link.states import StateMessage, States
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import TYPE_OF, Ack, Ask, EpochAck, GapReason, Presence, Wanted, Welcome

AWAY_FACTOR = 3  # a controller that said it is away says so when it is back; asking is for what got lost
LEAST_WAIT = 0.05  # a few messages at a time rather than a wake-up for each
# A node that dials in says its state's hash in each hello, and has mostly said its samples by then. Longer, and a node with
# many points would be heard for all that time while the word on its health grew old.
CONFIRM_SECONDS = 10.0
LANES = (Lane.RESULT, Lane.EVENT, Lane.METRIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be under way, how fast, and for how long an answer is waited for (seconds)."""

    window: int = 50  # messages sent and not acknowledged by the controller
    rate: float = 200.0  # messages a second, after the first `burst`
    burst: float = 50.0
    answer: float = 10.0  # until a message is sent again; doubles up to `longest`
    longest: float = 300.0
    hello: float = 5.0
    attempts: int = 4  # without any answer until the controller counts as away
    patience: float = 0.0  # for how long the acknowledgement of samples may take: see LinkPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message to send now. `key` (0, 0) is one without a number; `body` is a contract value or compact JSON bytes."""

    type: str
    body: Any
    key: Key = (0, 0)
    stamp: Stamp | None = None  # of when it was made; None: now
    replaces: tuple[int, ...] = ()


HELLO = Draft(type="hello", body=None)


class Engine:
    """The conversation with the controller."""

    def __init__(self, lanes: Lanes, states: States, budget: Budget, random: Callable[[], float]) -> None:
        self.lanes, self.states, self._budget, self._random = lanes, states, budget, random
        self.flights = self._flights = Flights(budget.answer, budget.longest, budget.patience)
        self._ready: dict[Lane, deque[Entry]] = {lane: deque() for lane in LANES}  # read ahead
        self._sent_to: dict[int, int] = {}  # epoch -> highest sequence sent in this start
        self._connection = 0
        self._hello_at: float | None = None  # when to say hello next; None while it is answered
        self._hellos = 0
        self._unheard = 0  # connections in a row on which nobody answered
        self._silent = 0  # how often an answer was overdue since the last one
        self._silent_at = 0.0  # when it last was
        self._tokens, self._filled_at = budget.burst, 0.0
        self.controller: Presence | None = None
        self.incarnation = ""  # of the welcome last heard
        self.answered_at: float | None = None
        self.is_welcome = False
        self._welcome_at = 0.0

    # --- the connection ----------------------------------------------------------------------------------------------

    def connected(self, connection: int, now: float) -> None:
        """A connection stands: say hello at once (when to connect was spread already)."""
        self._connection = connection
        self._forget()
        self.greet(now)
        self._tokens, self._filled_at = self._budget.burst, now
        self._silent = 0

    def disconnected(self) -> None:
        """The connection is gone; what was under way is sent again on the next one."""
        self._forget()
        self._unheard += self._hellos > self._budget.attempts
        self._hello_at, self.is_welcome, self.controller = None, False, None

    def greet(self, at: float) -> None:
        """Say hello at that moment, on the connection that stands."""
        self._forget()
        self.is_welcome, self._hello_at, self._hellos, self._silent = False, at, 0, 0

    def _forget(self) -> None:
        """Nothing is under way any more; it will be read and sent once more."""
        self._flights.clear()
        for ready in self._ready.values():
            ready.clear()

    # --- what to send ------------------------------------------------------------------------------------------------

    def next(self, now: float) -> Draft | None:
        """Return what to send now; call `sent` once the carrier took it, and then ask again."""
        if not self.is_welcome:
            is_due = self._hello_at is not None and now >= self._hello_at
            return HELLO if is_due and not self.is_unheard(now) else None
        late = self._late(now)
        if self._silent >= self._budget.attempts:
            self.greet(now)
            return HELLO
        if late is not None:
            return late
        if len(self._flights) >= self._budget.window or not self._token(now):
            return None
        unsent = self.states.flight
        if unsent is not None and unsent.key not in self._flights:
            return _state_draft(unsent)  # the carrier did not take it
        if self.states.has_news(now):
            return _state_draft(self.states.next(now))
        for lane in LANES:
            ready = self._ready[lane]
            if not ready:
                ready.extend(self.lanes.next(lane, self._flights.keys(), self._budget.window))
            if ready:
                return _entry_draft(ready[0], self.states, now - self._welcome_at)
        return None

    def _late(self, now: float) -> Draft | None:
        """Return a message whose answer is overdue."""
        for key, flight in self._flights.late(now):
            if now >= self._silent_at + self._budget.answer and (self.answered_at or 0.0) < flight.sent_at:
                self._silent, self._silent_at = self._silent + 1, now  # many may be late: that is one silence
            if key[0] == self.states.epoch:
                message = self.states.overdue()
                if message is not None and message.key == key:
                    return _state_draft(message)
            else:
                entry = self.lanes.find(key)
                if entry is not None:
                    return _entry_draft(entry, self.states, now - self._welcome_at)
            self._flights.drop(key)  # superseded, or dropped for space
        return None

    def _token(self, now: float) -> bool:
        gained = (now - self._filled_at) * self._budget.rate
        self._tokens, self._filled_at = min(self._budget.burst, self._tokens + gained), now
        return self._tokens >= 1.0

    def sent(self, draft: Draft, now: float) -> None:
        """The carrier took it."""
        if draft.type == "hello":
            self._hellos += 1
            doublings = min(20, self._hellos - 1 + self._unheard)
            wait = min(self._budget.longest, self._budget.hello * 2.0**doublings)
            if self.is_absent:
                wait = AWAY_FACTOR * self._budget.longest
            self._hello_at = now + wait * (0.75 + 0.5 * self._random())
            return
        self._flights.sent(draft.key, now)
        self._tokens -= 1.0
        epoch, sequence = draft.key
        for ready in self._ready.values():
            if ready and ready[0].key == draft.key:
                ready.popleft()
        self._sent_to[epoch] = max(self._sent_to.get(epoch, 0), sequence)

    def refused(self, draft: Draft, stamp: Stamp) -> None:
        """It is larger than any broker lets through: it is given up, and that is said."""
        entry = self.lanes.find(draft.key)
        if entry is not None:
            self.lanes.drop(entry, GapReason.OVERSIZED, stamp)
        elif draft.key[0] == self.states.epoch:
            self.states.given_up()
        self._forget()

    def wait(self, now: float) -> float | None:
        """Return the seconds until there is something to do even if nothing is heard; None for nothing."""
        if not self.is_welcome:
            return None if self._hello_at is None else max(0.0, self._hello_at - now)
        late = self._flights.next_due()
        due = [] if late is None else [late]
        if len(self._flights) < self._budget.window:
            state = self.states.due_at()
            counts = self.lanes.waiting()
            waits = any(counts[lane][0] > self._flights.of(lane) for lane in LANES)
            tokens = 0.0 if self._tokens >= 1.0 else max(LEAST_WAIT, 1.0 / self._budget.rate)
            due += [max(state, now + tokens)] if state is not None else []
            due += [now + tokens] if waits else []
        return max(0.0, min(due) - now) if due else None

    def is_idle(self, now: float) -> bool:
        """Whether everything is said and acknowledged."""
        waits = any(count for lane, (count, _) in self.lanes.waiting().items() if lane in LANES)
        return self.is_welcome and not self._flights and not waits and not self.states.has_news(now)

    @property
    def is_absent(self) -> bool:
        """Whether the controller itself (or its will) said that it is away."""
        return self.controller is not None and not self.controller.connected

    def is_unheard(self, now: float) -> bool:
        """Whether so many hellos went unanswered that the connection itself is in doubt."""
        is_spent = not self.is_welcome and not self.is_absent and self._hellos > self._budget.attempts
        return is_spent and self._hello_at is not None and now >= self._hello_at

    # --- what was heard ----------------------------------------------------------------------------------------------

    def presence(self, said: Presence, now: float) -> None:
        """The controller (or its will) says whether it listens."""
        before, self.controller = self.controller, said
        if not said.connected:
            self.greet(now + AWAY_FACTOR * self._budget.longest * (0.75 + 0.5 * self._random()))
            return
        # The first word on a connection is what the broker kept; our hello is on its way already.
        is_new = before is not None and (not before.connected or before.connection != said.connection)
        if is_new or (self.is_welcome and said.incarnation != self.incarnation):
            self.greet(now + self._random() * said.spread_seconds)

    def welcome(self, said: Welcome, now: float) -> bool:
        """The controller committed our hello; returns whether it is another than the one last heard."""
        if said.connection not in (0, self._connection):
            return False  # the answer to an earlier connection's
        if not self.is_welcome:
            self.states.welcomed(said.state_hash)
        is_other = said.incarnation != self.incarnation
        self.incarnation = said.incarnation
        self.is_welcome, self._hello_at, self._hellos, self._unheard = True, None, 0, 0
        self.answered_at, self._silent, self._welcome_at = now, 0, now
        return is_other

    def restored(self, stamp: Stamp) -> bool:
        """The controller is another than before: offer it what is kept; returns whether that is on disk."""
        losses = [
            Loss(epoch=self.states.epoch, span=span, reason=GapReason.NOT_KEPT)
            for span in self.states.forgotten()
        ]
        return self.lanes.offer_again(stamp, losses)

    def acknowledged(self, ack: Ack, now: float) -> None:
        """The controller's database has these."""
        self.answered_at, self._silent = now, 0
        for one in ack.acks:
            spans = self._sent(one)
            if not spans:
                continue
            self._flights.answered(one.epoch, spans)
            if one.epoch == self.states.epoch:
                self.states.acknowledged(spans)
            else:
                self.lanes.acknowledged(one.epoch, spans)

    def _sent(self, ack: EpochAck) -> list[Range]:
        """Return what an acknowledgement can mean: nothing that was never sent."""
        top = self._sent_to.get(ack.epoch, 0)
        spans = [(1, ack.upto), *((span[0], span[1]) for span in ack.also if len(span) == 2)]
        return [(max(1, first), min(last, top)) for first, last in spans if max(1, first) <= min(last, top)]

    def asked(self, ask: Ask, now: float) -> None:
        """The controller wants to hear something."""
        self.answered_at, self._silent = now, 0
        if ask.wanted is Wanted.FULL:
            self.states.asked(now)
        elif ask.wanted is Wanted.HELLO and self.is_welcome:
            self.greet(now + self._budget.hello * self._random())


def _entry_draft(entry: Entry, states: States, since_welcome: float) -> Draft:
    """Return a stored message; samples also say that the state still holds, once the hello's word on that is not fresh."""
    body = entry.body
    if entry.lane is Lane.METRIC and since_welcome >= CONFIRM_SECONDS and states.settled:
        body = body[:-1] + b',"state":"' + states.settled.encode() + b'"}'
    return Draft(type=entry.type, body=body, key=entry.key, stamp=entry.stamp)


def _state_draft(message: StateMessage) -> Draft:
    return Draft(
        type=TYPE_OF[type(message.body)], body=message.body, key=message.key, replaces=message.replaces
    )
