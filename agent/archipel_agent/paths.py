"""Every path of the product and of its k3s, below one injectable root.

The root is `/` on a real machine; tests, the demo and rehearsals put it elsewhere. Nothing here touches the disk.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT_VARIABLE = "ARCHIPEL_ROOT"


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
        from archipel_contract.api import SOCKET  # noqa: PLC0415 - programs that do one privileged thing answer nobody

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


@dataclass(frozen=True, slots=True)
class IdentityPaths:
    """What a device keeps of its identity towards its fleet, below `base`; only root may look into it."""

    base: Path

    @property
    def key(self) -> Path:
        """The device's private key, which never leaves it."""
        return self.base / "device.key"

    @property
    def certificate(self) -> Path:
        """The certificate that the fleet gave that key."""
        return self.base / "device.crt"

    @property
    def authorities(self) -> Path:
        """The fleet's CAs, as they came with the certificate."""
        return self.base / "authorities.pem"

    @property
    def trust(self) -> Path:
        """The frame of the trust document in force, byte for byte."""
        return self.base / "trust"

    @property
    def fleet(self) -> Path:
        """Brokers, names, and where to renew."""
        return self.base / "fleet.json"

    @property
    def invitation(self) -> Path:
        """The link by which to enrol, until that is done."""
        return self.base / "invitation"

    @property
    def left(self) -> Path:
        """Stands once the fleet was forgotten on purpose: nothing here counts, and only a new invitation ends it."""
        return self.base / "left"

    @property
    def next_key(self) -> Path:
        """The key for which a certificate is being asked."""
        return self.base / "next/device.key"

    @property
    def next_certificate(self) -> Path:
        """A renewed certificate that has not connected yet."""
        return self.base / "next/device.crt"

    @property
    def next_answer(self) -> Path:
        """All that an enrolment brought, until each part has its place."""
        return self.base / "next/answer.json"


def identity_of(paths: Paths) -> IdentityPaths:
    """Return where this machine's identity towards its fleet lies."""
    return IdentityPaths(paths.state / "identity")


def token_file(paths: Paths) -> Path:
    """Return where a token to enrol with is left for the agent, by an image or by hand."""
    return paths.settings / "enrol.token"


def agent_token_file(paths: Paths) -> Path:
    """Return the file with the token by which agents join, and nothing else; k3s reads it at its start."""
    return paths.k3s_settings / "agent-token"


def policies_file(paths: Paths) -> Path:
    """Return the manifest with the network policies of the site."""
    return paths.k3s_data / "server/manifests/archipel-policies.yaml"


def time_servers(paths: Paths) -> Path:
    """Return the file for the time servers that an answer file names, read by systemd-timesyncd."""
    return paths.at("etc/systemd/timesyncd.conf.d/90-archipel.conf")


def boot_places(paths: Paths) -> tuple[Path, ...]:
    """Return where boot partitions are mounted: Raspberry Pi OS and Debian from 12 on, before that, and UEFI."""
    return (paths.at("boot/firmware"), paths.at("boot"), paths.at("boot/efi"))


def here() -> Paths:
    """Return the paths of this process: below what ARCHIPEL_ROOT names, else below `/`."""
    return Paths(Path(os.environ.get(ROOT_VARIABLE) or "/").absolute())
