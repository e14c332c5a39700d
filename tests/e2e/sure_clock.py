"""The agent on a machine whose clock a time server keeps right, which test hosts do not have, as `python sure_clock.py`.

A program of its own, run inside a host: the real agent with all its real ports, but the kernel is taken to say that the
clock is disciplined.
"""

import sys
from dataclasses import replace
from typing import Any

from archipel_agent.compose import real_ports
from archipel_agent.daemon import main
from archipel_agent.paths import Paths
from archipel_agent.ports import Machine


class SureMachine:
    """A machine with a time server; all else is the real one's."""

    def __init__(self, inner: Machine) -> None:
        self._inner = inner

    def clock_synchronized(self) -> bool | None:
        """See ports.Machine."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


if __name__ == "__main__":
    ports = real_ports(Paths())
    sys.exit(main(Paths(), ports=replace(ports, machine=SureMachine(ports.machine))))
