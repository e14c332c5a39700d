"""Builds a bundle on an administrator's machine: from the files of directories to one signed archive.

The same files, options and key give the same bytes: members are sorted, headers carry no dates, and the time written into
the manifest is given by the caller.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from archipel_agent.bundles.importing import PIECE, megabytes
from archipel_agent.bundles.opening import HIDDEN
from archipel_agent.ports import Disk, Files
from archipel_contract import __version__
from archipel_contract.bundle import manifest as manifests
from archipel_contract.bundle import tar
from archipel_contract.bundle.format import (
    FORMAT,
    INSTALL_OF,
    MANIFEST,
    NAME,
    SIGNATURE,
    BundleFile,
    BundleRefused,
    Install,
    Kind,
    Manifest,
    Provenance,
)
from archipel_contract.trust.minisign import MinisignSigner

MODE = 0o644
ARCHIVES = (".tar", ".tar.gz", ".tar.zst", ".tgz")  # k3s imports these
OBJECTS = (".yaml", ".yml", ".json")  # k3s applies these
WHEEL = ".whl"
PARTS_LIST = "sbom.cdx.json"
MACHINE_OF_WHEEL = ("x86_64", "aarch64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """One file that goes in; a file made here has its content in `data`."""

    path: Path
    kind: Kind
    version: str = ""
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to build."""

    architecture: str
    created: datetime
    sequence: int
    ingredients: tuple[Ingredient, ...]
    needs: dict[str, str] = field(default_factory=dict)
    since: Manifest | None = None  # its contents are left out


def gathered(disk: Files, path: Path, kind: Kind) -> tuple[Ingredient, ...]:
    """Return a file, or the files of a directory that are of this kind; raise BundleRefused where there is none."""
    endings = {Kind.MANIFESTS: OBJECTS, Kind.WHEELS: (WHEEL,)}.get(kind, ARCHIVES)
    names = [name for name in disk.names(path) if not name.startswith(HIDDEN)]
    inside = [path / name for name in names if kind is Kind.LICENCES or name.endswith(endings)]
    is_right = kind in (Kind.K3S, Kind.NOTES, Kind.LICENCES) or path.name.endswith(endings)
    if not disk.exists(path) or (not inside and not is_right):
        detail = f"{path} is neither a file for {kind} nor a directory of them ({', '.join(endings)})"
        raise BundleRefused("bundle-not-found", detail, path=str(path))
    return tuple(Ingredient(path=one, kind=kind) for one in inside or [path])


def build(disk: Disk, target: Path, recipe: Recipe, signer: MinisignSigner) -> Manifest:
    """Write the bundle and return its manifest; raise BundleRefused, OSError."""
    from archipel_agent.bundles.parts_list import parts_list  # noqa: PLC0415 - only who builds has what it needs

    listed = [(one, _listed(disk, one)) for one in _sorted(recipe.ingredients)]
    parts = parts_list(tuple(file for _, file in listed), recipe.architecture, recipe.created)
    made = Ingredient(path=Path(PARTS_LIST), kind=Kind.SBOM, data=parts)
    listed.append((made, _listed(disk, made)))
    manifest = manifests.with_id(
        Manifest(
            format=FORMAT,
            id="",
            sequence=recipe.sequence,
            created=recipe.created.isoformat(),
            architecture=recipe.architecture,
            files=tuple(file for _, file in listed),
            needs=dict(sorted(recipe.needs.items())),
            since=recipe.since.id if recipe.since else "",
            provenance=Provenance(built_by=f"archipel {__version__}", sources=_sources(disk, listed)),
        )
    )
    body = manifests.written(manifest)
    comment = f"archipel bundle {manifest.id} sequence {manifest.sequence} for {manifest.architecture}"
    signature = signer.sign(body, comment)
    left_out = {one.sha256 for one in recipe.since.files} if recipe.since else set()
    contents = {file.sha256: file.size for _, file in listed if file.sha256 not in left_out}
    _require_place(disk, target, (len(body), len(signature), *contents.values()))
    disk.pour(target, _members(disk, body, signature, listed, left_out), MODE)
    return manifest


def _require_place(disk: Files, target: Path, members: tuple[int, ...]) -> None:
    """Raise BundleRefused where a bundle of members of these sizes cannot lie, before hours were spent on a slow stick."""
    size = sum(tar.BLOCK + one + tar.padding(one) for one in members) + len(tar.END)
    space = disk.space(target.parent)
    named = {"path": str(target), "size": megabytes(size), "free": megabytes(space.free_bytes)}
    if space.largest_file is not None and size > space.largest_file:
        detail = f"{size} bytes on {space.filesystem}, which takes {space.largest_file} in a file"
        raise BundleRefused("bundle-file-too-large", detail, **named)
    if (
        space.size_bytes and size > space.free_bytes
    ):  # a driver that does not tell its size does not tell its room
        raise BundleRefused("bundle-place-full", f"{size} bytes, {space.free_bytes} are free", **named)


def _sorted(ingredients: tuple[Ingredient, ...]) -> list[Ingredient]:
    order = list(Kind)
    return sorted(ingredients, key=lambda one: (order.index(one.kind), one.path.name))


def _listed(disk: Files, one: Ingredient) -> BundleFile:
    name = "k3s" if one.kind is Kind.K3S else one.path.name
    if NAME.fullmatch(name) is None:
        raise BundleRefused("bundle-malformed", f"{name!r} cannot be a name in a bundle; rename the file")
    data = one.data
    architecture, abi = _of_wheel(name) if one.kind is Kind.WHEELS else ("", "")
    return BundleFile(
        name=name,
        size=len(data) if data is not None else disk.size(one.path),
        sha256=hashlib.sha256(data).hexdigest() if data is not None else disk.sha256(one.path),
        kind=one.kind,
        install=INSTALL_OF.get(one.kind, Install.KEEP),
        version=one.version,
        architecture=architecture,
        abi=abi,
    )


def _of_wheel(name: str) -> tuple[str, str]:
    """Return architecture and ABI from a wheel's name (PyPA, binary distribution format); empty: any."""
    words = name.removesuffix(WHEEL).split("-")
    if len(words) < 5:
        raise BundleRefused("bundle-malformed", f"{name} is not named like a wheel")
    abi, platform = words[-2], words[-1]
    architecture = next((one for one in MACHINE_OF_WHEEL if platform.endswith(one)), "")
    return architecture, "" if abi == "none" else abi


def _sources(disk: Files, listed: list[tuple[Ingredient, BundleFile]]) -> dict[str, str]:
    """Return what upstream's list of digests beside the k3s says of it, if it lies there."""
    found = {}
    for one, file in listed:
        for name in ("sha256sum-amd64.txt", "sha256sum-arm64.txt"):
            beside = one.path.with_name(name)
            if one.data is None and disk.exists(beside) and file.sha256.encode() in disk.read(beside):
                found[f"{name}: {file.name}"] = file.sha256
    return found


def _members(
    disk: Files,
    body: bytes,
    signature: bytes,
    listed: list[tuple[Ingredient, BundleFile]],
    left_out: set[str],
) -> Iterator[bytes]:
    for name, data in ((MANIFEST, body), (SIGNATURE, signature)):
        yield tar.packed(name, len(data)) + data + bytes(tar.padding(len(data)))
    written = set(left_out)
    for one, file in listed:
        if file.sha256 in written:
            continue
        written.add(file.sha256)
        yield tar.packed(file.blob, file.size)
        yield from _content(disk, one, file)
        yield bytes(tar.padding(file.size))
    yield tar.END


def _content(disk: Files, one: Ingredient, file: BundleFile) -> Iterator[bytes]:
    if one.data is not None:
        yield one.data
        return
    digest = hashlib.sha256()
    for offset in range(0, file.size, PIECE):
        piece = disk.part(one.path, offset, min(PIECE, file.size - offset))
        digest.update(piece)
        yield piece
    if digest.hexdigest() != file.sha256:
        raise BundleRefused(
            "bundle-damaged", f"{one.path} changed while it was read", path=str(one.path), file=file.name
        )


def numbered(manifest: Manifest | None, created: datetime) -> int:
    """Return a sequence above all before it: seconds since 1970, or one more than the bundle built upon."""
    seconds = int(created.timestamp())
    return max(seconds, manifest.sequence + 1) if manifest else seconds


def with_version(ingredients: tuple[Ingredient, ...], version: str) -> tuple[Ingredient, ...]:
    """Return the ingredients with the version of the k3s among them."""
    return tuple(replace(one, version=version) if one.kind is Kind.K3S else one for one in ingredients)
