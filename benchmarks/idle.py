"""What the idle agent was seen to use in one window; three figures are read from it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.ground import Ground, agent_pid, guest_python, in_guest, tell
from tests.hosts.booted import BootedHost


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


@cache
def _window(host: BootedHost, seconds: float) -> Idle:
    tell(f"watching the idle agent for {seconds:.0f} s")
    pid = agent_pid(host)
    seen = in_guest(host, "idle", pid, f"{seconds:g}")
    if agent_pid(host) != pid:
        raise RuntimeError("the agent was started again in the middle of the window")
    return Idle(seen, guest_python(host))
