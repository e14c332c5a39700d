"""What the idle agent was seen to use in one window, and what a closer look costs; three figures are read from them."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.ground import Ground, agent_pid, guest_python, in_guest, tell
from tests.hosts.booted import BootedHost

LOOKS = 10


@dataclass(frozen=True)
class Idle:
    """One window."""

    seen: dict[str, Any]
    python: str

    @property
    def seconds(self) -> float:
        """How long it was."""
        return float(self.seen["seconds"])

    @property
    def where(self) -> str:
        """The words about it that every method needs."""
        return (
            f"agent of a one-node site in a booted Debian host ({self.python}), nobody watching, "
            f"default interval of 10 s, {self.seconds:.0f} s"
        )


def idle(ground: Ground) -> Idle:
    """Return what was seen; the window is taken once in a run. Raises Skipped."""
    host = ground.site()
    return _window(host, ground.window())


@dataclass(frozen=True)
class Look:
    """What one closer look costs the agent."""

    cpu_seconds: float  # its helpers included
    peaks_kib: dict[str, int]  # helper -> most resident memory


def closer_look(ground: Ground) -> Look:
    """Return what was measured, after the window: it would fall into it. Raises Skipped."""
    idle(ground)
    return _look(ground.site())


@cache
def _look(host: BootedHost) -> Look:
    tell(f"{LOOKS} closer looks")
    seen = in_guest(host, "helpers", agent_pid(host), str(LOOKS), "archipel", "doctor")
    return Look(float(seen["cpu_seconds"]), seen["peaks"])


@cache
def _window(host: BootedHost, seconds: float) -> Idle:
    tell(f"watching the idle agent for {seconds:.0f} s")
    return window_of(host, seconds)


def window_of(host: BootedHost, seconds: float) -> Idle:
    """Watch the agent of a host; raise RuntimeError when it was started again meanwhile."""
    pid = agent_pid(host)
    seen = in_guest(host, "idle", pid, f"{seconds:g}")
    if agent_pid(host) != pid:
        raise RuntimeError("the agent was started again in the middle of the window")
    return Idle(seen, guest_python(host))
