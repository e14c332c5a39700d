"""The real K3sHost: a keeper (systemd or supervised) for its life, k3s' own command line, and the teardown."""

import os
from pathlib import Path
from typing import Protocol

from archipel_agent.k3s.binary import problem as binary_problem
from archipel_agent.k3s.teardown import Teardown
from archipel_agent.ports import CommandFailed, Privileged, Runner, UnitSpec
from archipel_contract.status import K3sStatus


class Keeper(Protocol):
    """What keeps k3s running."""

    name: str

    def unpack(self, binary: Path) -> bool:
        """Begin to have k3s unpack itself; return whether that could be begun."""
        ...

    def installed(self, spec: UnitSpec) -> bool:
        """Whether the service is installed exactly so."""
        ...

    def install(self, spec: UnitSpec) -> None:
        """Install the service, to be started at boot where there is a boot."""
        ...

    def remove(self) -> None:
        """Forget the service."""
        ...

    def start(self) -> None:
        """Start without waiting."""
        ...

    def stop(self) -> None:
        """Stop the process."""
        ...

    def status(self) -> K3sStatus:
        """Return how it stands."""
        ...

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last lines."""
        ...


class SystemK3sHost:
    """The k3s of this machine."""

    def __init__(self, keeper: Keeper, runner: Runner, teardown: Teardown, privileged: Privileged) -> None:
        """Run it through `keeper`; what needs more than the agent's sandbox allows goes through `privileged`."""
        self._keeper = keeper
        self._runner = runner
        self._teardown = teardown
        self._privileged = privileged

    def version_text(self, binary: Path) -> str:
        """Return the standard output of `k3s --version`; raise CommandFailed saying why it cannot be a k3s for here."""
        why_not = binary_problem(binary, os.uname().machine)
        if why_not:
            raise CommandFailed(why_not)
        return self._runner.run([binary, "--version"], timeout=20.0).stdout

    def unpack(self, binary: Path) -> bool:
        """Begin to have k3s unpack itself; return whether that could be begun."""
        return self._keeper.unpack(binary)

    def install_service(self, spec: UnitSpec) -> None:
        """Make k3s a service that comes back after a reboot."""
        self._keeper.install(spec)

    def service_installed(self, spec: UnitSpec) -> bool:
        """Whether the service is installed exactly so."""
        return self._keeper.installed(spec)

    def remove_service(self) -> None:
        """Forget the service; its process is not touched."""
        self._keeper.remove()

    def start(self) -> None:
        """Start without waiting."""
        self._keeper.start()

    def stop(self) -> None:
        """Stop the k3s process; its containers keep running."""
        self._keeper.stop()

    def stop_pods(self) -> None:
        """End every container and take back what k3s left in the kernel."""
        self._privileged.call("stop-pods")

    def status(self) -> K3sStatus:
        """Return how the service stands."""
        return self._keeper.status()

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last log lines, unredacted."""
        return self._keeper.log(lines)

    def leftovers(self) -> tuple[str, ...]:
        """Return what k3s left in the kernel."""
        return self._teardown.leftovers()
