"""A fleet that comes back to its broker, in virtual time: every client by the agent's own schedule, one server, one queue.

Pure; fed with the handshakes a second that `tls_reconnect` measures, and held against its real connections. The broker does
one handshake after the other. A client waits `patience` seconds; what the broker then does for it is wasted, and the client
fails and comes again as the schedule says.
"""

import heapq
import random
from dataclasses import dataclass

from archipel_agent.link.schedule import Schedule

AWAY = "link-broker-away"


@dataclass(frozen=True, slots=True)
class Return:
    """How it went: seconds until the last one was back, attempts that failed, and the longest anybody waited."""

    seconds: float
    failed: int
    longest_wait: float


def model(clients: int, per_second: float, spread: float, patience: float = 30.0, seed: int = 1) -> Return:
    """Return how `clients` come back that all lose their connection at second 0."""
    chance = random.Random(seed)
    schedules = [Schedule(f"n-{number}", None, chance.random) for number in range(clients)]
    due: list[tuple[float, int]] = []
    for number, schedule in enumerate(schedules):
        schedule.connected(-3600.0)
        schedule.ended(0.0, 0.0, AWAY, spread)
        heapq.heappush(due, (schedule.next_at, number))
    free_at = last = longest = 0.0
    failed = 0
    while due:
        now, number = heapq.heappop(due)
        free_at = max(free_at, now) + 1.0 / per_second
        if free_at - now > patience:
            failed += 1
            schedules[number].ended(now + patience, 0.0, AWAY, spread)
            heapq.heappush(due, (schedules[number].next_at, number))
        else:
            last, longest = max(last, free_at), max(longest, free_at - now)
    return Return(last, failed, longest)
