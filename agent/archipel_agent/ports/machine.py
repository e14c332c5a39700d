"""The port to what the machine says of itself: its parts, its load, its kernel, who listens on it.

Implemented by `host/machine.py` and `rehearsal/machine.py`. It changes nothing, and judges nothing: that is for `checks/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # loaded by every program that does one privileged thing: such programs begin often
    from archipel_contract.facts import NodeFacts, NodeUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One listening TCP socket or bound UDP socket."""

    port: int
    address: str
    protocol: str = "tcp"
    process: str = ""
    pid: int | None = None


class Machine(Protocol):
    """What the machine says of itself. None means "could not be read"."""

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        ...

    def pulse(self) -> object:
        """Return a value that changes when a cable, an address or a route does; cheap enough for every turn."""
        ...

    def usage(self) -> NodeUsage:
        """Return one sample; CPU is measured since the previous call."""
        ...

    def clock_synchronized(self) -> bool | None:
        """Whether the kernel says that something disciplines the clock."""
        ...

    def listeners(self) -> tuple[Listener, ...] | None:
        """Return every listening socket (expensive: not for the idle loop)."""
        ...

    def kernel_setting(self, name: str) -> str | None:
        """Return a sysctl such as `vm.overcommit_memory`."""
        ...

    def has_module(self, name: str) -> bool | None:
        """Whether the kernel has, has loaded, or could load a module."""
        ...

    def is_root(self) -> bool:
        """Whether this process may change the system."""
        ...
