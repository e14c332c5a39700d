"""Which of k3s' own files must have content, which of them have none, and what k3s keeps its cluster in."""

from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Disk

ENDINGS = (".key", ".crt", ".kubeconfig", ".yaml", ".json", ".pem")
# Where k3s keeps what it makes itself and can make again: from its datastore, its configuration or by a new request.
PLACES = ("agent", "server/tls", "server/cred", "server/manifests")
NOT_BELOW = ("agent/containerd", "agent/images", "agent/etc", "agent/pod-manifests")


def empty_files(disk: Disk, paths: Paths) -> tuple[Path, ...]:
    """Return the files k3s needs at its start that are there and empty, sorted."""
    data = paths.k3s_data
    single = (
        data / "server/token",
        data / "server/agent-token",
        paths.kubeconfig,
        paths.at("etc/rancher/node/password"),
    )
    found = {path for path in single if _is_empty(disk, path)}
    for place in PLACES:
        for directory in _directories(disk, data / place, data):
            names = (name for name in disk.names(directory) if name.endswith(ENDINGS))
            found |= {directory / name for name in names if _is_empty(disk, directory / name)}
    return tuple(sorted(found))


def datastore(disk: Disk, paths: Paths) -> str:
    """Return `etcd` or `sqlite`, whichever lies on the disk; empty before the first start.

    After a migration SQLite's file is renamed (k3s pkg/cluster/managed.go), so etcd is looked for first.
    """
    if disk.exists(paths.k3s_data / "server/db/etcd"):
        return "etcd"
    return "sqlite" if disk.exists(paths.k3s_data / "server/db/state.db") else ""


def _directories(disk: Disk, top: Path, data: Path) -> tuple[Path, ...]:
    """Return `top` and the directories one level below it that hold files of k3s' own making."""
    below = [top / name for name in disk.names(top)]
    inside = [one for one in below if one.suffix == "" and str(one.relative_to(data)) not in NOT_BELOW]
    return (top, *inside)


def _is_empty(disk: Disk, path: Path) -> bool:
    try:
        return disk.read(path) == b""
    except OSError:
        return False
