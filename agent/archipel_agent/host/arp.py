"""The door to the local network's answers: who has an address. Implements the Lan port over `arp_probe`.

From within the agent's sandbox that file runs as a program in a transient unit, by Python without what it loads at other
starts (-I, -S).
"""

import errno
import os
import sys
from pathlib import Path

from archipel_agent.host import arp_probe
from archipel_agent.host.privileged import is_sandboxed
from archipel_agent.host.smart import OUTSIDE
from archipel_agent.ports import CommandFailed, LanSilent, Runner

OUTSIDE_SECONDS = 8.0


class ArpLan:
    """Asks over a packet socket."""

    def __init__(self, runner: Runner) -> None:
        """`runner` starts the transient unit where the agent's own unit may not ask."""
        self._runner = runner

    def holders(self, interface: str, address: str) -> tuple[str, ...]:
        """See ports.Lan."""
        if is_sandboxed():
            return self._outside(interface, address)
        try:
            return arp_probe.ask(interface, address)
        except OSError as error:
            raise LanSilent(_why(interface, error.errno or 0, error.strerror or str(error))) from error

    def _outside(self, interface: str, address: str) -> tuple[str, ...]:
        program = os.fspath(Path(arp_probe.__file__))
        argv = [*OUTSIDE, sys.executable, "-I", "-S", program, interface, address]
        try:
            return tuple(self._runner.run(argv, timeout=OUTSIDE_SECONDS).stdout.split())
        except CommandFailed as error:
            last = (error.stderr.strip().splitlines() or [str(error)])[-1]
            number, _, words = last.partition(" ")
            raise LanSilent(_why(interface, int(number), words) if number.isdigit() else last) from error


def _why(interface: str, number: int, words: str) -> str:
    if number in (errno.EPERM, errno.EACCES):
        return "asking the network takes root: sudo archipel doctor"
    return f"{interface} {words}" if number == 0 else f"{interface}: {words}"
