"""What a host is given from outside: a k3s, its images, the settings this kind of host needs, and the
product.

Mixed into `host.Host`. Nothing here is done unasked: a fresh host is bare.
"""

from pathlib import Path

from tests.hosts import cgroups, requirements, shell, wheels
from tests.hosts.places import CHECKOUT
from tests.hosts.whole import Whole

K3S = "/usr/local/bin/k3s"
IMAGES = "/usr/local/share/k3s/images"
K3S_DROP_IN = "/etc/rancher/k3s/config.yaml.d/50-host.yaml"
CONTAINERD_DROP_IN = "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/50-host.toml"
WHEELS = "/root/wheels"
INSTALLER = "/root/install/images/install.sh"


def allowances() -> dict[str, str]:
    """The drop-in files that a host without full privileges needs for k3s: path inside -> text; may be
    empty.

    Kubernetes 1.35 refuses cgroup version 1 unless told otherwise; without CAP_SYS_RESOURCE a sandbox
    cannot lower its oom_score_adj (both measured with k3s 1.36.3).
    """
    files = {}
    if not cgroups.is_unified():
        files[K3S_DROP_IN] = "kubelet-arg+:\n  - fail-cgroupv1=false\n"
    if not requirements.may_raise_oom_score():
        section = "[plugins.'io.containerd.cri.v1.runtime']"
        files[CONTAINERD_DROP_IN] = f"version = 3\n\n{section}\n  restrict_oom_score_adj = true\n"
    return files


class Offers(Whole):
    """The giving half of a host."""

    def offer_k3s(self, target: str = K3S) -> str:
        """Copy this machine's k3s into the host; returns its path inside. `FileNotFoundError` where there
        is none."""
        binary = requirements.k3s_binary()
        if binary is None:
            raise FileNotFoundError(requirements.missing_for_k3s())
        self.put(binary, target, 0o755)
        return target

    def offer_images(self, target: str = IMAGES) -> str:
        """Copy the k3s image archives into a directory of the host; returns it. `FileNotFoundError` without
        any."""
        directory = requirements.k3s_images()
        if directory is None:
            raise FileNotFoundError(requirements.missing_for_k3s())
        for archive in sorted(directory.iterdir()):
            if archive.is_file():
                self.put(archive.resolve(), f"{target}/{archive.name}")
        return target

    def allow(self) -> list[str]:
        """Write the drop-ins of `allowances` where a site puts its own; returns their paths inside."""
        files = allowances()
        for path, text in files.items():
            self.put(text.encode(), path)
        return list(files)

    def install_archipel(
        self, installer: Path | None = None, arguments: tuple[str, ...] = ()
    ) -> shell.Completed:
        """Install the product of this checkout as a person would: `sh install.sh --wheels DIR`, without a
        network.

        `installer` is the script to run in place of `images/install.sh`; it comes into the host together
        with the directories `images/` and `systemd/` of the checkout, in the same places relative to each
        other.
        """
        self.put(wheels.collect(), WHEELS)
        for name in ("images", "systemd"):
            if (CHECKOUT / name).is_dir():
                self.put(CHECKOUT / name, f"/root/install/{name}")
        if installer is not None:
            self.put(installer, INSTALLER, 0o755)
        return self.run(["sh", INSTALLER, "--wheels", WHEELS, *arguments], timeout=300)
