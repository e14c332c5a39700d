"""Takes a bundle apart without trusting a byte of it: first what lies where, then whose it is, then what it says.

The order is the safety: sizes are known from headers before anything is read, the signature is verified over the raw bytes
of the manifest before they are parsed, and every member must be one the manifest lists. No content is read here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from archipel_contract.bundle import manifest as manifests
from archipel_contract.bundle import tar
from archipel_contract.bundle.format import (
    BLOBS,
    DIGEST,
    FILE_LIMIT,
    FILES_LIMIT,
    MANIFEST,
    MANIFEST_LIMIT,
    SIGNATURE,
    SIGNATURE_LIMIT,
    BundleRefused,
    Manifest,
)

Part = Callable[[int, int], bytes]  # (offset, length) -> that part of the file, shorter at its end
Verify = Callable[[bytes, bytes], str]  # (manifest, signature) -> who signed; raises BundleRefused
SPARE = 64 << 10  # zeros that may follow the end: tar programs fill up to a record


@dataclass(frozen=True, slots=True)
class Span:
    """Where a content lies in the file."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle that was taken apart and verified."""

    manifest: Manifest
    body: bytes  # the manifest's bytes as they were signed
    signature: bytes
    signer: str
    blobs: dict[str, Span]  # digest -> where it lies; a delta lacks some


def opened(part: Part, size: int, verify: Verify) -> Opened:
    """Return the bundle in a file of `size` bytes; raise BundleRefused, and OSError as `part` does."""
    body, offset = _first(part, size, 0, MANIFEST, MANIFEST_LIMIT)
    signature, offset = _first(part, size, offset, SIGNATURE, SIGNATURE_LIMIT)
    signer = verify(body, signature)
    manifest = manifests.read(body)
    blobs = _blobs(part, size, offset, manifest)
    return Opened(manifest=manifest, body=body, signature=signature, signer=signer, blobs=blobs)


def _first(part: Part, size: int, offset: int, name: str, limit: int) -> tuple[bytes, int]:
    """Return the content of the member that must stand at `offset`, and where the next one begins."""
    header = _header(part, offset)
    if header is None or header.name != name:
        code = "bundle-unsigned" if name == SIGNATURE else "bundle-malformed"
        raise BundleRefused(code, f"{name} is not where it must be")
    if header.size > limit:
        raise BundleRefused(
            "bundle-malformed", f"{name} would have {header.size} bytes; the limit is {limit}"
        )
    begin = offset + tar.BLOCK
    content = part(begin, header.size)
    if len(content) != header.size:
        raise _truncated(size)
    return content, begin + header.size + tar.padding(header.size)


def _blobs(part: Part, size: int, offset: int, manifest: Manifest) -> dict[str, Span]:
    """Return where each content lies; every one must be listed, once, with its size."""
    listed = {one.sha256: one.size for one in manifest.files}
    found: dict[str, Span] = {}
    while (header := _header(part, offset)) is not None:
        digest = header.name.removeprefix(BLOBS)
        if not header.name.startswith(BLOBS) or DIGEST.fullmatch(digest) is None or digest not in listed:
            raise BundleRefused("bundle-malformed", f"{header.name[:120]!r} is not listed in its manifest")
        if digest in found or len(found) >= FILES_LIMIT:
            raise BundleRefused("bundle-malformed", f"{header.name} is in it twice")
        if header.size > FILE_LIMIT or header.size != listed[digest]:
            detail = f"{header.name} has {header.size} bytes, listed are {listed[digest]}"
            raise BundleRefused("bundle-malformed", detail)
        found[digest] = Span(offset + tar.BLOCK, header.size)
        offset += tar.BLOCK + header.size + tar.padding(header.size)
        if offset > size:
            raise _truncated(size)
    _end(part, size, offset)
    return found


def _header(part: Part, offset: int) -> tar.Header | None:
    block = part(offset, tar.BLOCK)
    if len(block) < tar.BLOCK:
        raise _truncated(offset + len(block))
    try:
        return tar.parsed(block)
    except tar.HeaderInvalid as error:
        raise BundleRefused("bundle-malformed", str(error)) from error


def _end(part: Part, size: int, offset: int) -> None:
    rest = size - offset
    if rest < len(tar.END):
        raise _truncated(size)
    if rest > SPARE or part(offset, rest).strip(b"\0"):
        raise BundleRefused("bundle-malformed", "something follows its end")


def _truncated(size: int) -> BundleRefused:
    return BundleRefused("bundle-truncated", f"it ends after {size} bytes, in the middle")
