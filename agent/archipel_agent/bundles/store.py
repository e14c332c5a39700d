"""What this machine holds of bundles: each content once, named by its digest, and the signed manifest of each bundle.

A content gets its name when it was verified and is on disk; a bundle is held from the moment its manifest is written, which
comes last. So a cut leaves either nothing or whole contents that the next try finds.

    /var/lib/archipel/bundles/blobs/sha256/DIGEST
    /var/lib/archipel/bundles/held/ID/manifest.json, manifest.json.minisig
"""

import errno
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Disk
from archipel_contract.bundle import manifest as manifests
from archipel_contract.bundle.format import BLOBS, MANIFEST, SIGNATURE, BundleFile, BundleRefused, Manifest

PRIVATE = 0o600


class BundleStore:
    """The bundles of one machine."""

    def __init__(self, disk: Disk, paths: Paths) -> None:
        self.disk = disk
        self.place = paths.state / "bundles"

    def blob(self, digest: str) -> Path:
        """Return where a content lies, or would."""
        return self.place / BLOBS / digest

    def has(self, one: BundleFile) -> bool:
        """Whether a content is here with its size; what is here was verified when it was written."""
        try:
            return self.disk.size(self.blob(one.sha256)) == one.size
        except OSError:
            return False

    def is_whole(self, manifest: Manifest) -> bool:
        """Whether a bundle is held with all its contents."""
        return self.manifest(manifest.id) == manifest and all(map(self.has, manifest.files))

    def manifest(self, bundle_id: str) -> Manifest | None:
        """Return the manifest of a bundle that is held, None for one that is not."""
        try:
            return manifests.read(self.disk.read(self.place / "held" / bundle_id / MANIFEST))
        except (FileNotFoundError, BundleRefused):
            return None

    def held(self) -> tuple[Manifest, ...]:
        """Return every bundle that is held, the highest sequence first."""
        found = (self.manifest(name) for name in self.disk.names(self.place / "held"))
        return tuple(
            sorted((one for one in found if one is not None), key=lambda one: one.sequence, reverse=True)
        )

    def hold(self, bundle_id: str, body: bytes, signature: bytes) -> None:
        """Write down that a bundle is here; all its contents must be."""
        place = self.place / "held" / bundle_id
        self.disk.write(place / SIGNATURE, signature, PRIVATE)
        self.disk.write(place / MANIFEST, body, PRIVATE)

    def sweep(self, kept: frozenset[str]) -> None:
        """Remove every bundle but those in `kept` (ids), and every content none of them needs."""
        for name in self.disk.names(self.place / "held"):
            if name not in kept:
                self.disk.remove(self.place / "held" / name / MANIFEST)  # first: without it nothing is held
                self.disk.remove_tree(self.place / "held" / name)
        needed = {file.sha256 for one in self.held() for file in one.files}
        blobs = self.place / BLOBS
        for name in self.disk.names(blobs):
            if name not in needed:
                self.disk.remove(blobs / name)
        if not self.held() and self.disk.exists(self.place):
            self.disk.remove_tree(self.place)


def is_no_room(error: OSError) -> bool:
    """Whether the disk has filled up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
