"""Flights: what was sent and not acknowledged yet, and when it is to be sent again. Pure; used by `engine`."""

from dataclasses import dataclass

from archipel_agent.link.entries import Key, Range
from archipel_contract.link.epochs import Lane, lane_of

PATIENT = 1.5  # the controller answers within the patience; what is lost on the way is sent again after this times it


@dataclass(frozen=True, slots=True)
class Flight:
    """A message under way."""

    sent_at: float
    attempts: int = 1


class Flights:
    """Everything under way on this connection."""

    def __init__(self, answer: float, longest: float, patience: float = 0.0) -> None:
        """An answer is waited for `answer` seconds at first, then twice as long each time, up to `longest`; for samples that
        were sent once `patience` seconds and half as long again, where that is more.
        """
        self._answer, self._longest, self._patience = answer, longest, PATIENT * patience
        self._known: dict[Key, Flight] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def keys(self) -> frozenset[Key]:
        """Return what is under way."""
        return frozenset(self._known)

    def of(self, lane: Lane) -> int:
        """Return how many of a lane are under way."""
        return sum(lane_of(epoch) is lane for epoch, _ in self._known)

    @property
    def unhurried(self) -> int:
        """How many samples are under way whose answer nobody expects yet."""
        return self.of(Lane.METRIC) if self._patience else 0

    def sent(self, key: Key, now: float) -> None:
        """It was sent, perhaps once more."""
        before = self._known.pop(key, None)
        self._known[key] = Flight(now, before.attempts + 1 if before else 1)

    def late(self, now: float) -> list[tuple[Key, Flight]]:
        """Return what should have been answered by now."""
        return [(key, one) for key, one in self._known.items() if now >= self._due(key, one)]

    def next_due(self) -> float | None:
        """Return when the first answer is overdue."""
        return min((self._due(key, one) for key, one in self._known.items()), default=None)

    def _due(self, key: Key, one: Flight) -> float:
        wait = min(self._longest, self._answer * 2.0 ** (one.attempts - 1))
        if one.attempts == 1 and lane_of(key[0]) is Lane.METRIC:
            wait = max(wait, self._patience)
        return one.sent_at + wait

    def drop(self, key: Key) -> None:
        """It needs no answer any more."""
        self._known.pop(key, None)

    def answered(self, epoch: int, spans: list[Range]) -> None:
        """These are acknowledged."""
        for key in [key for key in self._known if key[0] == epoch]:
            if any(first <= key[1] <= last for first, last in spans):
                del self._known[key]

    def clear(self) -> None:
        """Nothing is under way."""
        self._known.clear()
