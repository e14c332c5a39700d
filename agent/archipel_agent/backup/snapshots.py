"""Look whether a snapshot of etcd is whole: it ends with the SHA-256 of what stands before (etcd's own snapshot format)."""

import hashlib
from pathlib import Path

from archipel_agent.host import tree
from archipel_agent.state.datastore import DatastoreUnusable

DIGEST = 32
PAGE = 512


def look_at_snapshot(path: Path) -> None:
    """Return if it is whole; raise DatastoreUnusable, OSError."""
    size = tree.size(path)
    if size % PAGE != DIGEST:
        raise DatastoreUnusable(f"{path.name} has {size} bytes, which no whole snapshot of etcd has")
    digest = hashlib.sha256()
    left = size - DIGEST
    with tree.reading(path) as readable:
        while left:
            part = readable.read(min(left, tree.CHUNK))
            digest.update(part)
            left -= len(part)
        if readable.read(DIGEST) != digest.digest():
            raise DatastoreUnusable(f"{path.name} does not fit its own sum")
