"""What belongs into a site's backup, and where it lies on the machine.

Everything without which a new machine would be another cluster: token, authorities, credentials, settings, the node's
password, what the site itself put beside them, and by choice its volumes. What k3s makes anew at its start stays out, and
so do a device's identity towards its fleet and its invitation: they belong to the machine, not to the site.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from archipel_agent.backup.manifest import AS_FOUND, ETCD, SQLITE, Member, Volume
from archipel_agent.backup.packing import Piece, of_bytes
from archipel_agent.host import tree
from archipel_agent.host.tree import Entries, Entry
from archipel_agent.paths import Paths, token_file

SMALL = (
    1 << 20
)  # a file up to this is read once and stands in the manifest; a larger one stands in the sums alone
ALL_SMALL = 24 << 20  # of them together; beyond that they are read when their turn comes

# Below k3s' data directory. `manifests` and the last two hold what a site put there itself, too.
OF_K3S = (
    "server/token",
    "server/node-token",
    "server/agent-token",
    "server/tls",
    "server/cred",
    "server/manifests",
    "agent/etc/containerd/config-v3.toml.d",
    "agent/pod-manifests",
)
STORAGE = "storage"  # where local-path, as k3s brings it, keeps volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was found: pieces to write, those of them the manifest can list, and what had to be left out."""

    pieces: tuple[Piece, ...]
    members: tuple[Member, ...]
    left_out: tuple[str, ...]


def datastore_kind(paths: Paths) -> str | None:
    """Return which datastore k3s uses here: etcd once there is one, else sqlite; None before there is any."""
    database = paths.k3s_data / "server/db"
    if (database / "etcd/member").is_dir():
        return ETCD
    return SQLITE if (database / "state.db").is_file() else None


def places(paths: Paths) -> tuple[Path, ...]:
    """Return the files and directories that always belong into it, but for the datastore."""
    of_k3s = tuple(paths.k3s_data / name for name in OF_K3S)
    return (*of_k3s, paths.k3s_settings, paths.at("etc/rancher/node"), paths.settings)


def places_as_found(paths: Paths) -> tuple[Path, ...]:
    """Return where an adopted k3s has what its owner says to it: unit, environment (as its installer has it), settings."""
    unit = paths.k3s_unit
    beside = (unit, unit.with_name(f"{unit.name}.env"), unit.with_name(f"{unit.name}.d"))
    environment = (paths.at("etc/default/k3s"), paths.at("etc/sysconfig/k3s"))
    return (*beside, *environment, paths.k3s_config, paths.k3s_settings / "config.yaml.d")


def collect(paths: Paths, adopted: bool = False) -> Collected:
    """Read what always belongs into it; raise OSError.

    What an adopted k3s is set up by goes along as it was found, and not where a restore would put it back.
    """
    import hashlib  # noqa: PLC0415 - an agent at rest needs none of this

    pieces, members, left_out, total = [], [], [], 0
    as_found = places_as_found(paths) if adopted else ()
    for place in (*places(paths), *(one for one in as_found if not one.is_relative_to(paths.k3s_settings))):
        entries = Entries(place)
        for entry, path in _named(entries, place, paths.root):
            if path == token_file(paths):
                continue
            if any(path.is_relative_to(one) for one in as_found):
                entry = replace(entry, relative=f"{AS_FOUND}{entry.relative}")
            if entry.kind == tree.FILE and entry.size <= SMALL and total + entry.size <= ALL_SMALL:
                data = path.read_bytes()
                total += len(data)
                entry = replace(entry, size=len(data))
                digest = hashlib.sha256(data).hexdigest()
                members.append(Member(name=entry.relative, size=len(data), sha256=digest))
                pieces.append(Piece(entry=entry, data=data))
            else:
                pieces.append(Piece(entry=entry, path=path))
        left_out += entries.left_out
    return Collected(pieces=tuple(pieces), members=tuple(members), left_out=tuple(left_out))


def volumes(paths: Paths) -> tuple[Volume, ...]:
    """Return the volumes there are, with what they hold now."""
    storage = paths.k3s_data / STORAGE
    found = []
    for name in sorted(one.name for one in storage.iterdir()) if storage.is_dir() else []:
        files = [entry for entry in Entries(storage / name) if entry.kind == tree.FILE]
        found.append(Volume(name=name, files=len(files), size=sum(one.size for one in files)))
    return tuple(found)


def volume_pieces(paths: Paths) -> Iterator[Piece]:
    """Yield everything in the volumes as it stands when its turn comes."""
    storage = paths.k3s_data / STORAGE
    for entry, path in _named(Entries(storage), storage, paths.root):
        yield Piece(entry=entry, path=path if entry.kind == tree.FILE else None)


def file_piece(path: Path, name: str) -> Piece:
    """Return a file as a member called `name`, root's alone; raise OSError."""
    return Piece(entry=replace(of_bytes(name, b"").entry, size=tree.size(path)), path=path)


def _named(entries: Entries, place: Path, root: Path) -> Iterator[tuple[Entry, Path]]:
    """Yield each entry named by its place below the root, with its path."""
    for entry in entries:
        path = place / entry.relative if entry.relative else place
        yield replace(entry, relative=path.relative_to(root).as_posix()), path
