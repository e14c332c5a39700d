"""Reads an adopted k3s and returns where it differs from one of ours. Called by `observe` and by the plan of `adopt`."""

from pathlib import Path

from archipel_agent.k3s import drift, existing
from archipel_agent.k3s.config import KERNEL_SETTINGS
from archipel_agent.k3s.drift import Ground
from archipel_agent.k3s.unit import k3s_unit
from archipel_agent.paths import Paths, policies_file
from archipel_agent.ports import Ports
from archipel_contract.adoption import Difference
from archipel_contract.site import SiteDocument


def seen(ports: Ports, paths: Paths, site: SiteDocument) -> tuple[Difference, ...]:
    """Return every difference as it is now."""
    ours = k3s_unit(Path(site.k3s.path), paths.k3s_config)
    disk = ports.disk
    ground = Ground(
        kernel={name: ports.machine.kernel_setting(name) for name in KERNEL_SETTINGS},
        unit=disk.read(paths.k3s_unit).decode(errors="replace") if disk.exists(paths.k3s_unit) else None,
        wanted_unit=ours.unit,
        has_accounts=disk.exists(paths.k3s_data / "server/manifests/archipel-accounts.yaml"),
        has_policies=disk.exists(policies_file(paths)),
        has_kubelet_file=disk.exists(paths.k3s_data / "agent/etc/kubelet.conf.d/50-archipel.conf"),
    )
    return drift.differences(site, existing.arguments(ports, paths), ground, paths)
