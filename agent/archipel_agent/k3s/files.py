"""Which of k3s' own files must have content, which of them have none, and what k3s keeps its cluster in."""

from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Files

ENDINGS = (".key", ".crt", ".kubeconfig", ".yaml", ".json", ".pem")
# Where k3s keeps what it makes itself and can make again: from its datastore, its configuration or by a new request.
PLACES = ("agent", "server/tls", "server/cred", "server/manifests")
NOT_BELOW = ("agent/containerd", "agent/images", "agent/etc", "agent/pod-manifests")


def own_files(disk: Files, paths: Paths) -> tuple[Path, ...]:
    """Return the files of its own making that k3s needs at its start, sorted: those that may be there, a few hundred kB."""
    data = paths.k3s_data
    found = {
        data / "server/token",
        data / "server/agent-token",
        paths.kubeconfig,
        paths.at("etc/rancher/node/password"),
    }
    for place in PLACES:
        for directory in _directories(disk, data / place, data):
            found |= {directory / name for name in disk.names(directory) if name.endswith(ENDINGS)}
    return tuple(sorted(found))


def empty_files(disk: Files, paths: Paths) -> tuple[Path, ...]:
    """Return those of them that are there and empty."""
    return tuple(path for path in own_files(disk, paths) if _is_empty(disk, path))


def datastore(disk: Files, paths: Paths) -> str:
    """Return `etcd` or `sqlite`, whichever lies on the disk; empty before the first start.

    After a migration SQLite's file is renamed (k3s pkg/cluster/managed.go), so etcd is looked for first.
    """
    if disk.exists(paths.k3s_data / "server/db/etcd"):
        return "etcd"
    return "sqlite" if disk.exists(paths.k3s_data / "server/db/state.db") else ""


def _directories(disk: Files, top: Path, data: Path) -> tuple[Path, ...]:
    """Return `top` and the directories one level below it that hold files of k3s' own making."""
    below = [top / name for name in disk.names(top)]
    inside = [one for one in below if one.suffix == "" and str(one.relative_to(data)) not in NOT_BELOW]
    return (top, *inside)


def _is_empty(disk: Files, path: Path) -> bool:
    try:
        return disk.read(path) == b""
    except OSError:
        return False
