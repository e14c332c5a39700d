"""The director: what happens when, from a scenario's events and from chance. Pure; whoever holds it asks with the time.

What lasts is healed when its time is over. By chance each site has its own troubles, decided by the seed alone: the same
seed tells the same story whatever the number of processes.
"""

import heapq
import math
from collections.abc import Sequence

from archipel_agent.rehearsal.fleet.acts import Act
from archipel_agent.rehearsal.fleet.plan import NAME, share
from archipel_agent.rehearsal.fleet.scenario import Chance, FleetScenario

DAY = 86400.0
LEAST_SECONDS = 1.0  # that a trouble by chance lasts


class Director:
    """Keeps what is to come, in the order of its time (seconds since every site is up)."""

    def __init__(self, scenario: FleetScenario, sites: int, seed: int) -> None:
        """Direct `sites` sites."""
        self._coming: list[tuple[float, int, Act, tuple[Chance, str, int] | None]] = []
        self._number = 0
        self._seed = seed
        for event in scenario.events:
            self.plan(event.at, Act(what=event.what, where=event.where, to=event.to), event.seconds)
        for chance in scenario.chances:
            if chance.per_day > 0:
                for number in range(1, sites + 1):
                    self._next_chance(chance, NAME.format(number=number), 0, 0.0)

    def plan(self, at: float, act: Act, seconds: float | None = None) -> None:
        """Have `act` happen at its time, and be healed `seconds` later."""
        self._push(at, act)
        if seconds is not None:
            self._push(at + seconds, Act(what=act.what, where=act.where, heal=True))

    @property
    def next_at(self) -> float | None:
        """When something happens next; None for never."""
        return self._coming[0][0] if self._coming else None

    def due(self, now: float) -> Sequence[Act]:
        """Return what is due by `now`, in order, and forget it."""
        happening = []
        while self._coming and self._coming[0][0] <= now:
            at, _, act, chance = heapq.heappop(self._coming)
            happening.append(act)
            if chance is not None:
                self._next_chance(*chance, at)
        return happening

    def _push(self, at: float, act: Act, chance: tuple[Chance, str, int] | None = None) -> None:
        self._number += 1  # of two at the same time the one that was planned first
        heapq.heappush(self._coming, (at, self._number, act, chance))

    def _next_chance(self, chance: Chance, site: str, count: int, after: float) -> None:
        """Plan the next time this happens to the site: waiting times of a Poisson process, durations exponential."""
        words = (self._seed, site, chance.what, count)
        at = after - math.log(1.0 - share(*words, "when")) * DAY / chance.per_day
        lasts = max(LEAST_SECONDS, -math.log(1.0 - share(*words, "how long")) * chance.seconds)
        self._push(at, Act(what=chance.what, where=(site,), to=chance.to))
        self._push(at + lasts, Act(what=chance.what, where=(site,), heal=True), (chance, site, count + 1))
