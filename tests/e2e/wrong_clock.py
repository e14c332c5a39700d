"""The agent on a machine with a wrong clock, as `python wrong_clock.py 1970-01-01T00:10:00+00:00`.

A program of its own, run inside a host. The kernel has no wall clock for one host alone, and this machine's is left alone,
so the real agent gets all its real ports but one: the clock, which starts at that time and goes on from there.
"""

import sys
from dataclasses import replace
from datetime import datetime

from archipel_agent.compose import real_ports
from archipel_agent.daemon import main
from archipel_agent.host.clock import SystemClock
from archipel_agent.paths import Paths


class WrongClock(SystemClock):
    """The real clock, moved."""

    def __init__(self, start: datetime) -> None:
        self._moved = start - super().now()

    def now(self) -> datetime:
        """Return the wall clock as this machine shows it."""
        return super().now() + self._moved


if __name__ == "__main__":
    clock = WrongClock(datetime.fromisoformat(sys.argv[1]))
    sys.exit(main(Paths(), ports=replace(real_ports(Paths()), clock=clock)))
