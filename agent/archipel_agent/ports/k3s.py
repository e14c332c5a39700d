"""The port to the k3s of this machine as a program and as a service, not as a cluster: that is `kube`.

Implemented by `k3s/host.py` over the keepers of its process (`k3s/systemd.py`, `k3s/supervised.py`), and by
`rehearsal/k3s.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # loaded by every program that does one privileged thing: such programs begin often
    from archipel_contract.status import K3sStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpec:
    """How to run k3s: the command line and the text of its unit where systemd keeps it."""

    argv: tuple[str, ...]
    unit: str


class K3sHost(Protocol):
    """The k3s on this machine: what its command line says, its life as a service, its raw log lines."""

    def version_text(self, binary: Path) -> str:
        """Return the standard output of `k3s --version`; raise CommandFailed if it does not run here."""
        ...

    def unpack(self, binary: Path) -> bool:
        """Begin to have that k3s unpack its programs; return whether that could be begun. A start waits for it, `stop` ends
        it too, and where it was not begun a start does it.
        """
        ...

    def install_service(self, spec: UnitSpec) -> None:
        """Make k3s a service that comes back after a reboot; nothing is started."""
        ...

    def service_installed(self, spec: UnitSpec) -> bool:
        """Whether the service is installed exactly so."""
        ...

    def remove_service(self) -> None:
        """Stop k3s becoming started at boot and forget its service; its process is not touched."""
        ...

    def start(self) -> None:
        """Start the service and return without waiting for it to be ready."""
        ...

    def stop(self) -> None:
        """Stop the k3s process; its containers keep running."""
        ...

    def stop_pods(self) -> None:
        """End every container and remove what k3s mounted, linked and added to the firewall (what k3s-killall.sh does)."""
        ...

    def status(self) -> K3sStatus:
        """Return how the service stands (version left empty)."""
        ...

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last log lines of the current and earlier runs, oldest first, unredacted."""
        ...

    def leftovers(self) -> tuple[str, ...]:
        """Return what k3s left in the kernel: mounts, links, network namespaces, firewall chains, one line each."""
        ...
