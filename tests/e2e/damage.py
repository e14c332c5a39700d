"""Damages what k3s keeps, as a power cut or a dying card would, as `python damage.py WHAT`.

A program of its own, run inside a host whose k3s is off.
"""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

DATA = Path("/var/lib/rancher/k3s")
PAGE = 4096
TABLE_LEAF, INDEX_LEAF = 0x0D, 0x0A
RUBBISH = b"\xa5"


def tear(path: Path, pages: list[int]) -> None:
    """Overwrite whole pages."""
    content = bytearray(path.read_bytes())
    for page in pages:
        content[page * PAGE : (page + 1) * PAGE] = RUBBISH * PAGE
    path.write_bytes(bytes(content))


def datastore() -> None:
    """Tear pages of an index, and one page of rows that no marker of a test stands on, out of SQLite's file."""
    path = DATA / "server/db/state.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    content = path.read_bytes()
    kinds = {page: content[page * PAGE] for page in range(1, len(content) // PAGE)}
    indexes = [page for page, kind in kinds.items() if kind == INDEX_LEAF]
    leases = [
        page
        for page, kind in kinds.items()
        if kind == TABLE_LEAF
        and b"/registry/events/" in content[page * PAGE : (page + 1) * PAGE]
        and b"marker" not in content[page * PAGE : (page + 1) * PAGE]
    ]
    tear(path, [*indexes[len(indexes) // 3 :][:4], *leases[:1]])


def containerd() -> None:
    """Overwrite the heads of containerd's own database."""
    tear(DATA / "agent/containerd/io.containerd.metadata.v1.bolt/meta.db", [0, 1])


def etcd() -> None:
    """Overwrite the heads of etcd's database."""
    tear(DATA / "server/db/etcd/member/snap/db", [0, 1])


def programs() -> None:
    """Cut off the program that k3s has unpacked."""
    program = DATA / "data/current/bin/k3s"
    with program.open("rb") as whole:
        part = whole.read(1 << 20)
    program.unlink()  # a shim may still run from it
    program.write_bytes(part)
    program.chmod(0o755)


def password() -> None:
    """Give the node another password, as a re-imaged disk has."""
    Path("/etc/rancher/node/password").write_text("0123456789abcdef" * 2)


WAYS: dict[str, Callable[[], None]] = {
    "datastore": datastore,
    "containerd": containerd,
    "etcd": etcd,
    "programs": programs,
    "password": password,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
