"""Every path of the product and of its k3s, below one injectable root.

The root is `/` on a real machine; tests, the demo and rehearsals put it elsewhere. Nothing here touches the disk.
"""

from dataclasses import dataclass, field
from pathlib import Path

from archipel_contract.api import SOCKET


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute paths below `root`."""

    root: Path = field(default=Path("/"))

    def at(self, relative: str) -> Path:
        """Return `relative` (without a leading slash) below the root."""
        return self.root / relative

    # The product's own directories.
    @property
    def program(self) -> Path:
        """Installed versions and the link `current`; written by the installer, removed with us."""
        return self.at("opt/archipel")

    @property
    def command(self) -> Path:
        """The link that puts `archipel` on PATH."""
        return self.at("usr/local/bin/archipel")

    @property
    def settings(self) -> Path:
        """The directory of `agent.toml`."""
        return self.at("etc/archipel")

    @property
    def state(self) -> Path:
        """What must survive a reboot: state.db, logs, support bundles, staged files."""
        return self.at("var/lib/archipel")

    @property
    def database(self) -> Path:
        """The state database."""
        return self.state / "state.db"

    @property
    def outbox(self) -> Path:
        """What waits for the fleet's controller; a database of its own, so that one can break without the other."""
        return self.state / "outbox.db"

    @property
    def staging(self) -> Path:
        """Where files wait until they are verified, on the same file system as the state."""
        return self.state / "staging"

    @property
    def runtime(self) -> Path:
        """What need not survive a reboot: socket, lock, process records."""
        return self.at("run/archipel")

    @property
    def socket(self) -> Path:
        """The local API."""
        return self.at(SOCKET)

    # k3s, at the places stock k3s and its documentation use.
    @property
    def k3s_binary(self) -> Path:
        """Where a k3s that we install goes."""
        return self.at("usr/local/bin/k3s")

    @property
    def k3s_settings(self) -> Path:
        """config.yaml, its drop-in directory, registries.yaml and the admission and audit files."""
        return self.at("etc/rancher/k3s")

    @property
    def k3s_config(self) -> Path:
        """The file we write; sites add to config.yaml.d beside it, which we never touch."""
        return self.k3s_settings / "config.yaml"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, written by k3s."""
        return self.k3s_settings / "k3s.yaml"

    @property
    def k3s_data(self) -> Path:
        """k3s' data directory."""
        return self.at("var/lib/rancher/k3s")

    @property
    def k3s_images(self) -> Path:
        """Image archives here are imported by k3s at start and when they appear."""
        return self.k3s_data / "agent/images"

    @property
    def units(self) -> Path:
        """Units of the administrator's level."""
        return self.at("etc/systemd/system")

    @property
    def k3s_unit(self) -> Path:
        """The unit of k3s that we write."""
        return self.units / "k3s.service"

    @property
    def sysctl(self) -> Path:
        """Kernel settings kubelet insists on with `protect-kernel-defaults`."""
        return self.at("etc/sysctl.d/90-archipel-k3s.conf")

    @property
    def k3s_log(self) -> Path:
        """k3s' own output where no journal keeps it."""
        return self.state / "log/k3s.log"
