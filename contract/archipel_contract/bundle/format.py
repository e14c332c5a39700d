"""The format of a bundle: its members, its manifest, and the limits everybody holds it to.

One uncompressed tar. First `manifest.json`, then `manifest.json.minisig`, which signs exactly those bytes; then one member
for each content, named by its SHA-256. A bundle may lack contents (it then builds on what the machine has), never list
them wrongly. Readers skip fields and kinds they do not know, because the box may be a year older than the bundle.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

SUFFIX = ".archipel-bundle"
FORMAT = 1  # raised when a reader that does not know an addition must not use the rest
MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.minisig"
BLOBS = "blobs/sha256/"
MANIFEST_LIMIT = 1 << 20  # bytes: some 3000 files
SIGNATURE_LIMIT = 4 << 10
FILES_LIMIT = 2000
FILE_LIMIT = (
    8 << 30
) - 1  # bytes: what the size field of a tar header can hold (POSIX pax, ustar: 11 octal digits)

DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


class Kind(StrEnum):
    """What a file is."""

    K3S = "k3s"  # the stock program
    K3S_IMAGES = "k3s-images"  # archives k3s itself needs
    IMAGES = "images"  # archives of workloads
    WHEELS = "wheels"  # the agent's program, for `architecture` and `abi`
    MANIFESTS = "manifests"  # objects of Kubernetes
    SBOM = "sbom"  # parts list, CycloneDX
    LICENCES = "licences"
    NOTES = "notes"
    UNKNOWN = "unknown"  # of a later version; passed over


class Install(StrEnum):
    """What becomes of a file on the machine."""

    K3S = "k3s"  # the k3s this site runs
    IMPORT = "import"  # laid where k3s imports images
    APPLY = "apply"  # laid where k3s applies objects by itself
    KEEP = "keep"  # kept with the bundle, for whoever asks
    UNKNOWN = "unknown"


INSTALL_OF = {
    Kind.K3S: Install.K3S,
    Kind.K3S_IMAGES: Install.IMPORT,
    Kind.IMAGES: Install.IMPORT,
    Kind.MANIFESTS: Install.APPLY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFile:
    """One file. `size` in bytes, `sha256` in hexadecimal digits."""

    name: str  # without any directory, once in a bundle
    size: int
    sha256: str
    kind: Kind
    install: Install = Install.KEEP
    version: str = ""  # of k3s
    architecture: str = ""  # of wheels, as `uname -m`; empty: any
    abi: str = ""  # of wheels, such as cp311; empty: any

    @property
    def blob(self) -> str:
        """The name of the member that holds its content."""
        return f"{BLOBS}{self.sha256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who made it from what; for people."""

    built_by: str = ""  # the program with its version
    sources: dict[str, str] = field(default_factory=dict)  # what upstream published -> its digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is signed: everything a machine needs to know before it reads one content."""

    format: int
    id: str  # `b-` and 16 characters, from the digest of all other fields
    sequence: int  # grows from bundle to bundle; a machine takes no lower one than it had
    created: str  # UTC, ISO 8601
    architecture: str  # of the target, as `uname -m`
    files: tuple[BundleFile, ...]
    needs: dict[str, str] = field(default_factory=dict)  # program -> least version, such as archipel: 0.2.0
    since: str = ""  # id of the bundle whose contents were left out
    provenance: Provenance = Provenance()

    @property
    def size(self) -> int:
        """Bytes of all contents, each once."""
        return sum({one.sha256: one.size for one in self.files}.values())

    def of_kind(self, kind: Kind) -> tuple[BundleFile, ...]:
        """Return the files of one kind."""
        return tuple(one for one in self.files if one.kind is kind)

    def remarks(self) -> tuple[str, ...]:
        """Return a sentence for each file this version cannot use and passes over."""
        return tuple(
            f"{one.name} is of a kind this version does not know; it is kept and not used"
            for one in self.files
            if one.kind is Kind.UNKNOWN or one.install is Install.UNKNOWN
        )


class BundleRefused(Exception):
    """The bundle is not used; `code` is the finding, `params` what its sentences name, the message what is wrong."""

    def __init__(self, code: str, detail: str, **params: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.params = params
