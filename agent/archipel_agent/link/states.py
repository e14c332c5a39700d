"""The lane of states: one in flight, whole or as the difference to what the controller acknowledged; never stored. Pure.

Used by `engine`. What the controller holds is known from its acknowledgements and its welcome; whenever that is in doubt,
the whole state is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archipel_agent.link.entries import Key, Range
from archipel_contract.link.delta import difference, state_hash
from archipel_contract.link.envelope import REPLACES_LIMIT
from archipel_contract.link.messages import DeltaState, FullState

FULL_SECONDS = 12 * 3600.0  # a whole state once in a while, whatever happened
ASK_SECONDS = 5.0  # a controller that keeps asking gets no more than this

State = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMessage:
    """A state under way: its number, what it says, and which lost ones it makes needless."""

    key: Key
    body: FullState | DeltaState
    state: State
    hash: str
    replaces: tuple[int, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether it says everything."""
        return isinstance(self.body, FullState)


class States:
    """The state lane of one start."""

    def __init__(self, epoch: int, random: Callable[[], float]) -> None:
        self.epoch, self._random = epoch, random
        self._sequence = 0
        self._acknowledged = 0  # highest sequence
        self._current: tuple[State, str] | None = None
        self._base: tuple[State, str] | None = None  # what the controller holds
        self._loose: list[int] = []  # sent, never acknowledged, superseded
        self._full_at = 0.0
        self._asked_at = -ASK_SECONDS
        self._too_large = ""  # the hash of a state that no broker lets through
        self.flight: StateMessage | None = None

    @property
    def hash(self) -> str:
        """The hash of the state as it is now; empty before the first."""
        return self._current[1] if self._current else ""

    @property
    def settled(self) -> str:
        """The hash of the state where the controller has acknowledged just that; empty otherwise."""
        return self.hash if self._base is not None and self._base[1] == self.hash else ""

    def is_now(self, state: State) -> bool:
        """Take in the state as it is now; return whether it differs from the one before."""
        hash_ = state_hash(state)
        if hash_ == self.hash:
            return False
        self._current = state, hash_
        return True

    def has_news(self, now: float) -> bool:
        """Whether there is something to say and nothing under way."""
        due = self.due_at()
        return due is not None and now >= due

    def due_at(self) -> float | None:
        """Return when there will be something to say if nothing changes: 0 for now, None while something is under way."""
        if self._current is None or self.flight is not None or self._too_large == self.hash:
            return None
        return 0.0 if self._base is None or self._base[1] != self.hash else self._full_at

    def next(self, now: float) -> StateMessage:
        """Return what to send, which is then under way. Only to be asked while there `has_news`."""
        assert self._current is not None  # has_news
        state, hash_ = self._current
        body: FullState | DeltaState = FullState(state=state, hash=hash_)
        if self._base is not None and now < self._full_at:
            patch = difference(self._base[0], state)
            body = DeltaState(base=self._base[1], patch=patch, hash=hash_)
        else:
            self._full_at = now + FULL_SECONDS * (0.9 + 0.2 * self._random())
        self._sequence += 1
        replaces = tuple(self._loose[-REPLACES_LIMIT:])
        key = self.epoch, self._sequence
        self.flight = StateMessage(key=key, body=body, state=state, hash=hash_, replaces=replaces)
        return self.flight

    def overdue(self) -> StateMessage | None:
        """No acknowledgement came: return what to send again, None where a newer state goes in its place."""
        if self.flight is not None and self.flight.hash != self.hash:
            self._supersede()
        return self.flight

    def acknowledged(self, spans: list[Range]) -> None:
        """The controller has these sequences."""
        for first, last in spans:
            last = min(last, self._sequence)
            self._acknowledged = max(self._acknowledged, last)
            self._loose = [one for one in self._loose if not first <= one <= last]
            if self.flight is not None and first <= self.flight.key[1] <= last:
                self._base = self.flight.state, self.flight.hash
                self.flight = None

    def asked(self, now: float) -> None:
        """The controller cannot go on from what it holds: say everything."""
        if self.flight is not None and self.flight.is_full:
            return  # it is under way
        if now - self._asked_at >= ASK_SECONDS:
            self._asked_at = now
            self._supersede()

    def given_up(self) -> None:
        """What is under way can never be sent: wait for another state."""
        self._too_large = self.hash
        self._supersede()

    def welcomed(self, held: str) -> None:
        """The controller says the hash of what it holds, after a new connection or a new life."""
        known = [(one.state, one.hash) for one in (self.flight,) if one] + (
            [self._base] if self._base else []
        )
        self._supersede()
        self._base = next((one for one in known if one[1] == held), None)
        if self._base is None and held and held == self.hash:
            self._base = self._current

    def _supersede(self) -> None:
        if self.flight is not None:
            self._loose.append(self.flight.key[1])
            self.flight = None
        self._base = None

    def lost(self) -> list[Range]:
        """Return the sequences that will never be sent again when the agent ends now."""
        unsure = [*self._loose, *([self.flight.key[1]] if self.flight else [])]
        return [(one, one) for one in unsure]

    def forgotten(self) -> list[Range]:
        """Return the sequences a restored controller may miss: none is kept."""
        return [(1, self._acknowledged)] if self._acknowledged else []
