"""Whose bundles this machine takes: keys in files that somebody put there, and keys the fleet's root names for bundles.

A key file is a public key of minisign, one a file, in `/etc/archipel/bundle-keys/`. Of a fleet count those keys of its
trust document that may `bundle`, are not revoked and have not surely expired.
"""

from dataclasses import dataclass
from pathlib import Path

from archipel_agent.paths import Paths, identity_of
from archipel_agent.ports import Files
from archipel_contract.bundle.format import BundleRefused
from archipel_contract.link.envelope import EnvelopeInvalid, frame_from
from archipel_contract.trust import keys as trust_keys
from archipel_contract.trust import minisign
from archipel_contract.trust.keys import KeyInvalid, PublicKey, SignatureInvalid
from archipel_contract.trust.store import NotTrusted, Signed, TrustStore
from archipel_contract.trust_document import BUNDLE

ENDING = ".pub"

_Named = tuple[tuple[str, PublicKey], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys that count, each with its name for people; `ended` are those of the fleet whose time is over, and `problems`
    says which file could not be used, and why.
    """

    files: tuple[tuple[str, minisign.MinisignKey], ...] = ()
    fleet: tuple[tuple[str, PublicKey], ...] = ()
    ended: tuple[tuple[str, PublicKey], ...] = ()
    problems: tuple[str, ...] = ()

    def verify(self, body: bytes, signature: bytes) -> str:
        """Return the name of the key that signed `body`; raise BundleRefused."""
        try:
            made = minisign.parsed(signature)
        except minisign.SignatureMalformed as error:
            raise BundleRefused("bundle-unsigned", str(error)) from error
        for name, key in self.files:
            if key.number == made.number:
                _verify(body, made, key.key)
                return name
        maker = _among(self.fleet, body, made)
        if maker is not None:
            return maker
        ended = _among(self.ended, body, made)
        if ended is not None:
            detail = f"the fleet let the key of {ended} sign bundles, and that time is over"
            raise BundleRefused("bundle-untrusted", "; ".join((detail, *self.problems)), key=made.id)
        known = ", ".join(name for name, _ in (*self.files, *self.fleet)) or "none"
        detail = f"the key {made.id} is not trusted here; trusted are: {known}"
        raise BundleRefused("bundle-untrusted", "; ".join((detail, *self.problems)), key=made.id)


def keyring(disk: Files, paths: Paths, floor_ms: int = 0) -> Keyring:
    """Return the keys of this machine; `floor_ms` is a time that is surely past, in milliseconds since 1970 UTC."""
    place = paths.settings / "bundle-keys"
    files, problems = [], []
    for name in disk.names(place):
        if name.endswith(ENDING) and not name.startswith("."):
            try:
                files.append((name.removesuffix(ENDING), minisign.public_key(disk.read(place / name))))
            except (KeyInvalid, OSError) as error:
                problems.append(f"{place / name} cannot be used: {error}")
    try:
        fleet, ended = _of_fleet(disk, paths, floor_ms)
    except (EnvelopeInvalid, KeyInvalid, OSError) as error:
        fleet, ended = (), ()
        problems.append(f"the fleet's trust document cannot be used: {error}")
    return Keyring(files=tuple(files), fleet=fleet, ended=ended, problems=tuple(problems))


def of_files(disk: Files, paths: tuple[Path, ...]) -> Keyring:
    """Return the keys in these files; raise KeyInvalid, OSError."""
    return Keyring(files=tuple((path.name, minisign.public_key(disk.read(path))) for path in paths))


def _of_fleet(disk: Files, paths: Paths, floor_ms: int) -> tuple[_Named, _Named]:
    """Return the fleet's keys for bundles, and those that were until their time was over."""
    identity = identity_of(paths)
    if not disk.exists(identity.trust) or disk.exists(identity.left):
        return (), ()
    store = TrustStore.first(frame_from(disk.read(identity.trust)))
    found, ended = [], []
    for one in store.document.keys:
        public = trust_keys.public_key(one.public)
        if public.key_id in store.document.revoked or public.algorithm != trust_keys.ED25519:
            continue
        try:
            store.permit(Signed((one,)), BUNDLE, None, floor=floor_ms)
        except NotTrusted as refused:
            if refused.code == "message-expired-key":
                ended.append((one.name, public))
            continue
        found.append((one.name, public))
    return tuple(found), tuple(ended)


def _among(keys: _Named, body: bytes, made: minisign.MinisignSignature) -> str | None:
    """Return the name of the key that signed `body`; each is tried, as a trust document does not know minisign's numbers."""
    for name, public in keys:
        try:
            minisign.verify(body, made, public)
        except SignatureInvalid:
            continue
        return name
    return None


def _verify(body: bytes, made: minisign.MinisignSignature, key: PublicKey) -> None:
    try:
        minisign.verify(body, made, key)
    except SignatureInvalid as error:
        raise BundleRefused("bundle-forged", "its manifest is not what was signed", key=made.id) from error
