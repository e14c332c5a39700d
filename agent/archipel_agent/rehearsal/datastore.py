"""What the simulated k3s keeps in its data directory: the token it was made with, and the objects of its API.

Written through the Disk door, so that removing the data directory really removes the cluster, and a restored one is the
old cluster again.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from archipel_agent.paths import Paths
from archipel_agent.ports import Disk

PRIVATE = 0o600


class Datastore:
    """One cluster's memory; what is changed here is on disk at once."""

    def __init__(self, disk: Disk, paths: Paths) -> None:
        """Keep it where k3s keeps its SQLite database; read what is there."""
        self._disk = disk
        self._path = path_of(paths)
        self._token = ""
        self.born = ""
        self.objects: dict[str, dict[str, Any]] = {}
        self.node_seen = False
        if disk.exists(self._path):
            kept = json.loads(disk.read(self._path))
            self._token, self.born = kept["token"], kept["born"]
            self.objects, self.node_seen = kept["objects"], kept["node_seen"]

    def opens_with(self, token: str) -> bool:
        """Whether this token fits, which any does for a new one."""
        return self._token in ("", _digest(token))

    def make(self, token: str, born: str) -> None:
        """Lay it down, unless it is there; `born` tells this cluster from any other."""
        if not self._token:
            self._token, self.born = _digest(token), born
            self.keep()

    @property
    def authority(self) -> str:
        """The certificate authority of this cluster, as text that is never parsed."""
        return f"rehearsal: the authority of {self.born}"

    def keep(self) -> None:
        """Write everything."""
        kept = {
            "token": self._token,
            "born": self.born,
            "objects": self.objects,
            "node_seen": self.node_seen,
        }
        self._disk.write(self._path, json.dumps(kept).encode(), PRIVATE)


def path_of(paths: Paths) -> Path:
    """Return where the datastore is."""
    return paths.k3s_data / "server/db/state.db"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
