"""Where the demo's agent runs: a host of its own with a real k3s, or a rehearsed machine where that cannot be had.

Both offer the same few calls, so that the demo's story is told once.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol

from tests.hosts import requirements, shell
from tests.hosts.lab import Lab
from tests.hosts.line import Line
from tests.hosts.plain import PlainHost

PROGRAM = [sys.executable, "-m", "archipel_contract.launcher"]
START_SECONDS = 20.0
AGENT = ("--interval", "2", "--metrics-every", "5")


class Ground(Protocol):
    """A machine with an agent on it."""

    title: str
    up: list[str]  # options of `archipel up` here
    fault: str  # the fault this ground can make, in words
    code: str  # the finding it must be explained by

    @property
    def socket(self) -> Path:
        """The agent's socket as this machine reaches it."""
        ...

    def archipel(self, *words: str, timeout: float = 120.0) -> shell.Completed:
        """Run `archipel WORDS` there to its end."""
        ...

    def enrol(self, link: str) -> None:
        """Have the machine enrol with the fleet; raises CommandFailed."""
        ...

    def break_it(self) -> None:
        """Make the fault."""
        ...

    def heal_it(self) -> None:
        """Take it away."""
        ...

    def log(self) -> str:
        """What the agent wrote."""
        ...

    def close(self) -> None:
        """End everything, leave nothing."""
        ...


class RealGround:
    """A real k3s in a light host of its own; this machine's files and network stay as they are."""

    title = "a real k3s, in a host of its own on this machine"
    fault = "the network cable is pulled"
    code = "cable-out"

    def __init__(self, ports: tuple[int, ...]) -> None:
        """`ports` are where this machine's controller listens; a line leads to each of them from the host."""
        self._lines: list[Line] = []
        self._lab = Lab()
        try:
            self._host = PlainHost("demo", self._lab)
            self._host.boot()
            self._lines += [Line(self._host.leader, port, port) for port in ports]
            self._host.offer_k3s()
            images = self._host.offer_images()
            self._host.allow()
            without = ("metrics-server", "local-storage")
            self.up = ["--images", images, *(word for name in without for word in ("--no-component", name))]
            self._agent = self._host.spawn([*PROGRAM, "agent", "run", *AGENT])
            _await(self.socket, self._agent)
        except BaseException:
            self.close()
            raise

    @property
    def socket(self) -> Path:
        """Reached through the root of the host's first process."""
        return Path(f"/proc/{self._host.leader}/root/run/archipel/agent.sock")

    def archipel(self, *words: str, timeout: float = 120.0) -> shell.Completed:
        """Run inside the host."""
        return self._host.run([*PROGRAM, *words], timeout=timeout)

    def enrol(self, link: str) -> None:
        """Ask the agent to."""
        self.archipel("enrol", link).ok()

    def break_it(self) -> None:
        """Pull the cable."""
        self._host.cut_network()

    def heal_it(self) -> None:
        """Plug it in again."""
        self._host.heal_network()

    def log(self) -> str:
        """What the agent wrote."""
        return self._agent.output()

    def close(self) -> None:
        """Switch the host off and remove its network."""
        for line in self._lines:
            line.close()
        host = getattr(self, "_host", None)
        if host is not None:
            host.close()
        self._lab.close()


class RehearsedGround:
    """A simulated machine and k3s behind the agent's own ports, below a directory that goes with the demo."""

    title = "a REHEARSED machine: its k3s is simulated, and every screen says so"
    fault = "the network cable is pulled"
    code = "cable-out"

    def __init__(self) -> None:
        self.up: list[str] = []
        self._directory = tempfile.TemporaryDirectory(prefix="archipel-demo-")
        root = Path(self._directory.name)
        scenario = root / "scenario.toml"
        scenario.write_text('title = "The demo"\npace = 0.5\n')
        self._environment = {**os.environ, "ARCHIPEL_ROOT": str(root)}
        self.socket = root / "run/archipel/agent.sock"
        argv = [*PROGRAM, "agent", "run", *AGENT, "--rehearse", str(scenario)]
        self._agent = shell.spawn(argv, env=self._environment, output=root / "agent.log")
        try:
            _await(self.socket, self._agent)
        except BaseException:
            self.close()
            raise

    def archipel(self, *words: str, timeout: float = 120.0) -> shell.Completed:
        """Run against the rehearsed machine."""
        return shell.run([*PROGRAM, *words], env=self._environment, timeout=timeout)

    def enrol(self, link: str) -> None:
        """Ask the agent to."""
        self.archipel("enrol", link).ok()

    def break_it(self) -> None:
        """Pull the simulated cable."""
        self.archipel("agent", "rehearse", self.code).ok()

    def heal_it(self) -> None:
        """Plug it in again."""
        self.archipel("agent", "rehearse", self.code, "--heal").ok()

    def log(self) -> str:
        """What the agent wrote."""
        return self._agent.output()

    def close(self) -> None:
        """End the agent and remove its directory."""
        self._agent.stop(grace=5.0)
        self._directory.cleanup()


def _await(socket: Path, agent: shell.Spawned) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not socket.exists():
        if agent.rc is not None or time.monotonic() > deadline:
            raise shell.CommandFailed(f"the agent did not start: {agent.output()[-2000:]}")
        time.sleep(0.05)


def why_not_real() -> str:
    """Return why no real k3s can be had here; empty if it can."""
    return requirements.missing_for_plain() or requirements.missing_for_k3s() or ""


def choose(rehearsed: bool, ports: tuple[int, ...]) -> Ground:
    """Return the best ground there is, saying why where it is not the real one."""
    missing = "asked for" if rehearsed else why_not_real()
    if missing:
        print(f"demo: a rehearsed machine ({missing})")
        return RehearsedGround()
    return RealGround(ports)
