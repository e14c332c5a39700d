"""Bundles made in memory, good and bad ones, with a key of their own: what a stick may hold."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archipel_contract.bundle import manifest as manifests
from archipel_contract.bundle import tar
from archipel_contract.bundle.format import (
    BLOBS,
    FORMAT,
    INSTALL_OF,
    MANIFEST,
    SIGNATURE,
    BundleFile,
    Install,
    Kind,
    Manifest,
)
from archipel_contract.trust import minisign

MAKER = minisign.new_signer(bytes(range(40)))
STRANGER = minisign.new_signer(bytes(range(100, 140)))
MAKERS_KEY = minisign.public_text(MAKER.public)


def listed(name: str, content: bytes, kind: Kind = Kind.IMAGES, **fields: str) -> BundleFile:
    """One file as a manifest lists it."""
    return BundleFile(
        name=name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        kind=kind,
        install=INSTALL_OF.get(kind, Install.KEEP),
        **fields,
    )


@dataclass(frozen=True, kw_only=True)
class FakeBundle:
    """A bundle whose parts can be exchanged for bad ones."""

    files: dict[str, tuple[Kind, bytes]] = field(default_factory=lambda: {"a.tar": (Kind.IMAGES, b"image a")})
    sequence: int = 1
    architecture: str = "x86_64"
    format: int = FORMAT
    needs: dict[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()  # names whose contents are not in it
    signer: minisign.MinisignSigner = MAKER

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""
        return manifests.with_id(
            Manifest(
                format=self.format,
                id="",
                sequence=self.sequence,
                created="2026-11-22T12:00:00+00:00",
                architecture=self.architecture,
                files=tuple(listed(name, data, kind) for name, (kind, data) in self.files.items()),
                needs=self.needs,
                since="b-0000000000000000" if self.left_out else "",
            )
        )

    @property
    def body(self) -> bytes:
        """The manifest's bytes."""
        return manifests.written(self.manifest)

    @property
    def signature(self) -> bytes:
        """The signature over them."""
        return self.signer.sign(self.body, "a bundle")

    def members(self) -> list[bytes]:
        """Every member, header and all, in their order."""
        head = [member(MANIFEST, self.body), member(SIGNATURE, self.signature)]
        return head + [
            member(f"{BLOBS}{hashlib.sha256(data).hexdigest()}", data)
            for name, (_, data) in self.files.items()
            if name not in self.left_out
        ]

    def packed(self) -> bytes:
        """The whole file."""
        return b"".join(self.members()) + tar.END

    def with_member(self, extra: bytes) -> bytes:
        """The whole file with one more member at its end."""
        return b"".join([*self.members(), extra]) + tar.END

    def but(self, **fields: object) -> "FakeBundle":
        """Another one."""
        return replace(self, **fields)  # type: ignore[arg-type]  # only fields of this class are passed


def member(
    name: str, content: bytes = b"", *, kind: bytes = b"0", link: str = "", size: int | None = None
) -> bytes:
    """One member with its header; of another kind, with a link's target or a size that lies, on request."""
    claimed = len(content) if size is None else size
    block = bytearray(tar.packed(name, min(claimed, 1 << 32)))
    if claimed >= 1 << 33:
        block[124:136] = b"\x80" + claimed.to_bytes(11, "big")
    block[156:157] = kind
    block[157:257] = link.encode().ljust(100, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + content + bytes(tar.padding(len(content)))
