"""Keys and documents of a fleet that exists only in tests: the same at every run, so that a failing example repeats."""

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archipel_contract.link.envelope import Envelope, Frame, Signs, signed
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.trust.store import NotTrusted, TrustStore
from archipel_contract.trust_document import DOCUMENT, FOREVER, TALK, Delegation, KeyRole, TrustDocument
from archipel_contract.wire import to_data

FLEET = "f-0000000000000000"
NOW = 1_790_000_000_000
DAY = 86_400_000


def signer(number: int) -> SoftwareSigner:
    """The key with this number."""
    return SoftwareSigner(Ed25519PrivateKey.from_private_bytes(number.to_bytes(32)))


ROOTS = [signer(number) for number in range(1, 6)]
CONTROLLER, NORA, OTTO, NORA_TOO, READER, STRANGER = (signer(number) for number in range(11, 17))


def delegation(
    whose: SoftwareSigner,
    name: str,
    *may: str,
    role: KeyRole = KeyRole.OPERATOR,
    sites: tuple[str, ...] = (),
    not_before: int = 0,
    expires: int = FOREVER,
) -> Delegation:
    """What a document says of one key."""
    return Delegation(
        public=str(whose.public),
        name=name,
        role=role,
        may=may,
        sites=sites,
        not_before=not_before,
        expires=expires,
    )


KEYS = (
    delegation(CONTROLLER, "controller", TALK, DOCUMENT, "command:*", role=KeyRole.CONTROLLER),
    delegation(NORA, "nora", DOCUMENT, "command:*"),
    delegation(NORA_TOO, " Nora ", DOCUMENT, "command:*"),
    delegation(OTTO, "otto", DOCUMENT, "command:*"),
    delegation(READER, "reader", "command:logs"),
)


def document(
    version: int = 1, roots: Sequence[SoftwareSigner] = ROOTS[:3], threshold: int = 2, **more: Any
) -> TrustDocument:
    """A version of the trust document, by default with 2 of 3 roots and all the keys above."""
    said: dict[str, Any] = {"fleet_id": FLEET, "keys": KEYS, **more}
    return TrustDocument(
        version=version, roots=tuple(str(one.public) for one in roots), threshold=threshold, **said
    )


def frame(body: Any, kind: str, *signers: Signs) -> Frame:
    """A message, signed by these."""
    return signed(Envelope(type=kind, at=NOW, body=to_data(body)), signers)


def trust(said: TrustDocument, *signers: SoftwareSigner) -> Frame:
    """A trust document, signed by these."""
    return frame(said, "trust", *signers)


def code_of(error: NotTrusted) -> str:
    """The finding of a refusal, whose reason must be there too."""
    assert str(error)
    return error.code


def store(said: TrustDocument | None = None) -> TrustStore:
    """A device's store that trusts this."""
    return TrustStore(said or document())
