"""Lay a backup out in a directory of its own while it is read: nothing is where it belongs before all of it was checked."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from archipel_agent.backup.manifest import (
    OWN,
    SITE,
    BackupUnusable,
    Manifest,
    SiteRecord,
)
from archipel_agent.host import tree
from archipel_agent.host.tree import Entry, Layer
from archipel_contract import wire

# What a backup may bring; anything else in one is not from Archipel.
PLACES = ("var/lib/rancher/k3s/", "etc/rancher/", "etc/archipel/", "archipel/")
SITE_BYTES = 1 << 20


class Laying:
    """A Taker that lays every member out below a directory."""

    def __init__(
        self, root: Path, accept: Callable[[Manifest], None], told: Callable[[int, Manifest], None]
    ) -> None:
        """`accept` raises BackupUnusable for a manifest that is not wanted; `told` hears how many bytes are laid."""
        self._layer = Layer(root)
        self._accept, self._told = accept, told
        self._file: BinaryIO | None = None
        self._site = bytearray()
        self._is_site = False
        self.record: SiteRecord | None = None
        self.seen: Manifest | None = None
        self.files = 0
        self.size = 0

    def manifest(self, manifest: Manifest) -> None:
        """See Taker."""
        self._accept(manifest)
        self.seen = manifest

    def begin(self, entry: Entry) -> None:
        """See Taker."""
        place = f"{entry.relative}/" if entry.kind == tree.DIRECTORY else entry.relative
        if not place.startswith(PLACES):
            raise BackupUnusable("backup-format", f"{entry.relative} does not belong into a backup")
        self._is_site = entry.relative == SITE
        if self._is_site or entry.relative.startswith(OWN):
            return
        try:
            if entry.kind == tree.FILE:
                self._file = self._layer.open(entry.relative)
        except (ValueError, FileExistsError) as error:
            raise BackupUnusable("backup-damaged", str(error)) from error

    def part(self, data: bytes) -> None:
        """See Taker."""
        self.size += len(data)
        if self._is_site:
            self._site += data
            if len(self._site) > SITE_BYTES:
                raise BackupUnusable("backup-format", f"{SITE} is too large")
        elif self._file is not None:
            self._file.write(data)
            if self.seen is not None:
                self._told(self.size, self.seen)

    def end(self, entry: Entry) -> None:
        """See Taker."""
        self.files += entry.kind == tree.FILE
        if self._is_site:
            self.record = _record(bytes(self._site))
            return
        if entry.relative.startswith(OWN):
            return
        if self._file is not None:
            self._file.close()
            self._file = None
        try:
            self._layer.lay(entry)
        except ValueError as error:
            raise BackupUnusable("backup-damaged", str(error)) from error

    def close(self) -> None:
        """Close the file under way, if something ended it in the middle."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _record(data: bytes) -> SiteRecord:
    try:
        return wire.from_json(SiteRecord, data)
    except wire.WireError as error:
        raise BackupUnusable("backup-format", f"{SITE}: {error}") from error
