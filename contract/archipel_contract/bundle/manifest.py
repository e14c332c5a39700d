"""The manifest as text and back. Written in one form only, so that the same bundle has the same bytes."""

import hashlib
import json
from dataclasses import replace

from archipel_contract import wire
from archipel_contract.bundle.format import (
    DIGEST,
    FILE_LIMIT,
    FILES_LIMIT,
    FORMAT,
    MANIFEST_LIMIT,
    NAME,
    BundleRefused,
    Manifest,
)
from archipel_contract.names import ID_ALPHABET, ID_LENGTH


def written(manifest: Manifest) -> bytes:
    """Return the manifest's bytes: JSON, indented, for people may read it too; raise BundleRefused for an impossible one."""
    body = json.dumps(wire.to_data(manifest), indent=1, ensure_ascii=False).encode() + b"\n"
    if len(body) > MANIFEST_LIMIT:
        raise BundleRefused("bundle-malformed", f"its manifest would have {len(body)} bytes")
    _check(manifest)
    return body


def with_id(manifest: Manifest) -> Manifest:
    """Return the manifest with the id that follows from everything else in it."""
    bare = wire.to_json(replace(manifest, id=""))
    digest = hashlib.sha256(bare).digest()
    return replace(manifest, id="b-" + "".join(ID_ALPHABET[byte % 32] for byte in digest[:ID_LENGTH]))


def read(body: bytes) -> Manifest:
    """Return the manifest in `body`, whose signature was verified before; raise BundleRefused."""
    try:
        manifest = wire.from_json(Manifest, body)
    except (wire.WireError, RecursionError) as error:
        raise BundleRefused("bundle-malformed", f"its manifest cannot be read: {str(error)[:300]}") from error
    if manifest.format > FORMAT:
        detail = f"it has format {manifest.format}, this version knows {FORMAT}"
        raise BundleRefused("bundle-newer", detail)
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    problem = _problem(manifest)
    if problem:
        raise BundleRefused("bundle-malformed", problem)


def _problem(manifest: Manifest) -> str:
    """Return why a manifest contradicts itself or the limits, empty if it does not."""
    if manifest.format < 1 or manifest.sequence < 1:
        return "its manifest has no format or no sequence"
    if not 0 < len(manifest.files) <= FILES_LIMIT:
        return f"it lists {len(manifest.files)} files; there must be 1 to {FILES_LIMIT}"
    sizes: dict[str, int] = {}
    names: set[str] = set()
    for one in manifest.files:
        if NAME.fullmatch(one.name) is None:
            return f"{one.name[:80]!r} is no name of a file"
        if one.name in names:
            return f"{one.name} is listed twice"
        if DIGEST.fullmatch(one.sha256) is None:
            return f"{one.name} has no SHA-256"
        if not 0 <= one.size <= FILE_LIMIT or sizes.setdefault(one.sha256, one.size) != one.size:
            return f"{one.name} cannot have {one.size} bytes"
        names.add(one.name)
    if NAME.fullmatch(manifest.id) is None or NAME.fullmatch(manifest.architecture) is None:
        return "its manifest has no id or no architecture"
    return ""
