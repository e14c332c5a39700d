"""What a controller has in hand under a trust document: its own key, its CAs, perhaps roots. Called by `keyring` only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from archipel_contract.link.envelope import Frame
from archipel_contract.trust import certificates
from archipel_contract.trust.certificates import Authority, CertificateInvalid
from archipel_contract.trust.keys import PrivateKey, Signer, SoftwareSigner, public_key, public_of
from archipel_contract.trust.store import TrustStore
from archipel_contract.trust_document import TALK, Delegation, KeyRole, TrustDocument
from archipel_fleet.trust.refusal import KeysRefused
from archipel_fleet.trust.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that was read, as one value, so that a change appears to all threads at once."""

    trust: TrustStore
    frames: tuple[tuple[int, Frame], ...]
    signer: Signer
    delegation: Delegation
    authorities: tuple[Authority, ...]  # newest first; those whose key lies here
    roots: tuple[PrivateKey, ...]  # whose private key lies here


def read(shelf: Shelf) -> Held:
    """Return what lies in the directory; raise KeysRefused."""
    try:
        store, frames = shelf.chain()
        return hold(shelf, store, frames, {})
    except OSError as error:
        raise KeysRefused(
            "fleet-keys-damaged", str(error.strerror or error), file=str(shelf.directory)
        ) from error


def hold(
    shelf: Shelf, store: TrustStore, frames: tuple[tuple[int, Frame], ...], new: dict[str, PrivateKey]
) -> Held:
    """Return what this controller has in hand under a trust document; raise KeysRefused if it cannot work under it."""
    document = store.document

    def key_of(key_id: str) -> PrivateKey | None:
        return new.get(key_id) or shelf.key(key_id)

    own = [
        (one, key)
        for one in document.keys
        if one.role is KeyRole.CONTROLLER
        and one.permits(TALK)
        and (key_id := public_key(one.public).key_id) not in document.revoked
        and (key := key_of(key_id)) is not None
    ]
    if not own:
        detail = "none of the controller's keys that the trust document names lies here"
        raise KeysRefused("fleet-keys-damaged", detail, file=str(shelf.directory))
    delegation, key = own[-1]
    roots = [found for one in document.roots if (found := key_of(public_key(one).key_id)) is not None]
    return Held(
        store,
        frames,
        SoftwareSigner(key),
        delegation,
        _authorities(document.authorities, key_of),
        tuple(roots),
    )


def named(document: TrustDocument) -> frozenset[str]:
    """Return the ids of all keys that a trust document names: roots, keys, CAs."""
    texts = (*document.roots, *(one.public for one in document.keys))
    cas = (certificates.read(one.encode()).public.key_id for one in document.authorities)
    return frozenset((*(public_key(one).key_id for one in texts), *cas))


def id_of(key: PrivateKey) -> str:
    """Return the id of a key."""
    return public_of(key).key_id


def _authorities(
    certificates_pem: Iterable[str], key_of: Callable[[str], PrivateKey | None]
) -> tuple[Authority, ...]:
    found = []
    try:
        for text in certificates_pem:
            pem = text.encode()
            key = key_of(certificates.read(pem).public.key_id)
            if isinstance(key, EllipticCurvePrivateKey):
                found.append(Authority(key, pem))
    except CertificateInvalid as error:
        raise KeysRefused("fleet-authority-unfit", str(error)) from error
    if not found:
        raise KeysRefused(
            "fleet-authority-unfit", "no private key here belongs to a CA of the trust document"
        )
    return tuple(found)
