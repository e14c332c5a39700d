"""The load of a rehearsed machine: it breathes with the hours, each machine in its own way, for charts that show it."""

import math
from dataclasses import replace

from archipel_agent.rehearsal.fleet.plan import share
from archipel_agent.rehearsal.machine import SimulatedMachine
from archipel_agent.rehearsal.world import SimulatedWorld
from archipel_contract.facts import NodeUsage

DAY, HOUR, NOISE = 86400.0, 3600.0, 20.0  # seconds of the slow wave, the faster one, and between two jitters


class LivelyMachine(SimulatedMachine):
    """A SimulatedMachine whose samples change; what decides about findings stays far from any limit."""

    def __init__(self, world: SimulatedWorld, seed: str) -> None:
        """Let `seed` decide how."""
        super().__init__(world)
        self._clock = world.clock
        self._seed = seed
        self._phase = share(seed, "phase")

    def usage(self) -> NodeUsage:
        """See ports.Machine."""
        plain = super().usage()
        lively = self._level(self._clock.monotonic())
        memory = plain.memory_used_bytes or 0
        return replace(
            plain,
            cpu_percent=round((plain.cpu_percent or 0.0) * (0.6 + 1.4 * lively), 1),
            load_1m=round((plain.load_1m or 0.0) * (0.5 + 1.5 * lively), 2),
            memory_used_bytes=int(memory * (0.95 + 0.15 * lively)),
            temperature_c=round((plain.temperature_c or 0.0) - 4.0 + 9.0 * lively, 1),
        )

    def _level(self, seconds: float) -> float:
        """Return 0 to 1: a day's wave, an hour's wave, and a jitter."""
        slow = math.sin(2 * math.pi * (seconds / DAY + self._phase))
        fast = math.sin(2 * math.pi * (seconds / HOUR + 3 * self._phase))
        jitter = share(self._seed, int(seconds / NOISE))
        return min(1.0, max(0.0, 0.45 + 0.25 * slow + 0.1 * fast + 0.2 * (jitter - 0.5)))
