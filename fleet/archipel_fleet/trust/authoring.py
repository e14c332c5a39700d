"""The next version of a trust document, made by pure functions, and the roots' signatures under it, collected one by one.

A change is first a document (`delegated`, `revoked`, ...), then with `successor` the next version, then as a `draft` a frame
without signatures, to which each root adds its own, on whatever machine it lies. Called by the commands about keys.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import Envelope, EnvelopeInvalid, Frame, Signature, signed
from archipel_contract.trust.certificates import CertificateInvalid, pin, read
from archipel_contract.trust.keys import ED25519, KeyInvalid, PublicKey, SignatureInvalid, Signer, public_key
from archipel_contract.trust.sealing import RecipientInvalid, checked_recipient
from archipel_contract.trust.store import TRUST, check, document_in
from archipel_contract.trust_document import (
    BUNDLE,
    COMMAND,
    DOCUMENT,
    FOREVER,
    TALK,
    Delegation,
    KeyRole,
    TrustDocument,
)
from archipel_contract.wire import to_data

_PURPOSE = re.compile(rf"{TALK}|{DOCUMENT}|{BUNDLE}|{COMMAND}(\*|[a-z-]+)")
EVERYTHING = (TALK, DOCUMENT, f"{COMMAND}*")


class ChangeRefused(ValueError):
    """A trust document cannot be changed like this; the message says why in one sentence."""


def first(
    fleet_id: str, name: str, roots: tuple[str, ...], threshold: int, controller: Delegation, authority: str
) -> TrustDocument:
    """Return version 1."""
    return _checked(
        TrustDocument(
            fleet_id=fleet_id,
            version=1,
            roots=roots,
            threshold=threshold,
            keys=(controller,),
            authorities=(authority,),
            name=name,
        )
    )


def controller(public: PublicKey, expires: int = FOREVER) -> Delegation:
    """Return what a controller's key may do: everything that needs one signature."""
    return Delegation(
        public=str(public), name="controller", role=KeyRole.CONTROLLER, may=EVERYTHING, expires=expires
    )


def successor(before: TrustDocument, changed: TrustDocument) -> TrustDocument:
    """Return `changed` as the version after `before`; raise ChangeRefused if it changes nothing or contradicts itself."""
    if replace(changed, version=before.version) == before:
        raise ChangeRefused("nothing would change")
    return _checked(replace(changed, version=before.version + 1))


def delegated(document: TrustDocument, delegation: Delegation) -> TrustDocument:
    """Return the document with this key in it, in the place of what it said of the same key; raise ChangeRefused."""
    key_id = _key(delegation.public).key_id
    if key_id in document.revoked:
        raise ChangeRefused(f"the key {key_id} was revoked and stays so; make another one")
    if not delegation.name.strip():
        raise ChangeRefused("a key needs the name of whoever holds it")
    if not delegation.may:
        raise ChangeRefused("a key that may do nothing is of no use; say what it may")
    for one in delegation.may:
        if not _PURPOSE.fullmatch(one):
            raise ChangeRefused(
                f"{one!r} is nothing a key may: talk, document, bundle, command:VERB or command:*"
            )
    if BUNDLE in delegation.may and delegation.sites:
        raise ChangeRefused(
            "a key for bundles cannot be for single sites: machines without a site take them, too"
        )
    if BUNDLE in delegation.may and _key(delegation.public).algorithm != ED25519:
        raise ChangeRefused("bundles are signed by Ed25519 keys only: archipel bundle key new FILE")
    if delegation.expires != FOREVER and delegation.expires <= delegation.not_before:
        raise ChangeRefused("the key would end before it begins")
    return replace(document, keys=(*_without(document, key_id), delegation))


def revoked(document: TrustDocument, key_id: str) -> TrustDocument:
    """Return the document in which a key is heeded no more, now or ever; raise ChangeRefused."""
    if key_id in root_ids(document):
        raise ChangeRefused(f"{key_id} is a root; roots are exchanged: archipel fleet keys rotate roots")
    if key_id in document.revoked:
        raise ChangeRefused(f"{key_id} is revoked already")
    if key_id not in key_ids(document):
        raise ChangeRefused(f"the document names no key {key_id}")
    return replace(document, keys=_without(document, key_id), revoked=(*document.revoked, key_id))


def without_key(document: TrustDocument, key_id: str) -> TrustDocument:
    """Return the document without a key that is not revoked all the same: it may come back."""
    return replace(document, keys=_without(document, key_id))


def with_roots(
    document: TrustDocument, add: Iterable[str] = (), remove: Iterable[str] = (), threshold: int = 0
) -> TrustDocument:
    """Return the document with other roots: `add` are public keys, `remove` key ids, `threshold` 0 keeps it; raise
    ChangeRefused. A root that goes is revoked, so that it never comes back as another key."""
    going = tuple(remove)
    known = root_ids(document)
    for one in going:
        if one not in known:
            raise ChangeRefused(f"{one} is none of the roots: {', '.join(known)}")
    added = tuple(str(_key(one)) for one in add)
    for one in added:
        if _key(one).key_id in (*known, *document.revoked):
            raise ChangeRefused(f"{_key(one).key_id} is a root already, or was revoked")
    kept = tuple(one for one in document.roots if _key(one).key_id not in going)
    return replace(
        document,
        roots=(*kept, *added),
        threshold=threshold or document.threshold,
        revoked=(*document.revoked, *going),
    )


def with_authority(document: TrustDocument, pem: str) -> TrustDocument:
    """Return the document with a CA more, before the others: from now on it issues devices' certificates."""
    return replace(document, authorities=(pem, *document.authorities))


def without_authority(document: TrustDocument, wanted: str) -> TrustDocument:
    """Return the document without the CA of this pin: what it issued is refused from then on; raise ChangeRefused."""
    kept = tuple(one for one in document.authorities if pin(one.encode()) != wanted)
    if len(kept) == len(document.authorities):
        raise ChangeRefused(f"the document names no CA with the pin {wanted}")
    return replace(document, authorities=kept)


def with_recovery(document: TrustDocument, recipients: Iterable[str]) -> TrustDocument:
    """Return the document with these recovery recipients in the place of those before; raise ChangeRefused."""
    try:
        return replace(document, recovery=tuple(dict.fromkeys(map(checked_recipient, recipients))))
    except RecipientInvalid as error:
        raise ChangeRefused(str(error)) from None


# --- signatures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """Who has signed a proposal, and how many of which roots must; ids of keys."""

    signed: tuple[str, ...]
    before: tuple[str, ...]  # roots of the version in force; empty for a first version
    before_needed: int
    after: tuple[str, ...]
    after_needed: int

    @property
    def is_enough(self) -> bool:
        """Whether the proposal can be accepted."""
        return self._have(self.before) >= self.before_needed and self._have(self.after) >= self.after_needed

    @property
    def open(self) -> tuple[str, ...]:
        """Roots whose signature would still help."""
        wanted: list[str] = []
        for roots, needed in ((self.before, self.before_needed), (self.after, self.after_needed)):
            if self._have(roots) < needed:
                wanted += [one for one in roots if one not in self.signed and one not in wanted]
        return tuple(wanted)

    def _have(self, roots: tuple[str, ...]) -> int:
        return len(set(roots) & set(self.signed))


def draft(document: TrustDocument, at: int) -> Frame:
    """Return a document as a frame that nobody has signed; `at` is milliseconds since 1970 UTC."""
    return signed(Envelope(type=TRUST, at=at, clock=ClockQuality.UNKNOWN, body=to_data(document)))


def proposed(frame: Frame) -> TrustDocument:
    """Return the document in a proposal, which need not be signed yet; raise ChangeRefused."""
    try:
        document = document_in(frame)
    except EnvelopeInvalid as error:
        raise ChangeRefused(f"this is no proposal: {error}") from None
    return _checked(document)


def countersigned(frame: Frame, signer: Signer) -> Frame:
    """Return the frame with one signature more, by the exact bytes in it; once more by the same key changes nothing.

    Raises SigningFailed from the signer.
    """
    others = tuple(one for one in frame.signatures if one.key_id != signer.key_id)
    if len(others) < len(frame.signatures):
        return frame
    return replace(frame, signatures=(*others, Signature(signer.key_id, signer.sign(frame.payload))))


def tally(frame: Frame, before: TrustDocument | None) -> Tally:
    """Return who has signed a proposal; a signature that is not good does not count. Raises ChangeRefused."""
    after = proposed(frame)
    publics = {one.key_id: one for one in map(_key, (*(before.roots if before else ()), *after.roots))}
    good = []
    for signature in frame.signatures:
        try:
            publics[signature.key_id].verify(frame.payload, signature.value)
            good.append(signature.key_id)
        except (KeyError, SignatureInvalid, KeyInvalid):
            continue
    return Tally(
        signed=tuple(good),
        before=root_ids(before) if before else (),
        before_needed=before.threshold if before else 0,
        after=root_ids(after),
        after_needed=after.threshold,
    )


def root_ids(document: TrustDocument) -> tuple[str, ...]:
    """Return the ids of the roots."""
    return tuple(_key(one).key_id for one in document.roots)


def key_ids(document: TrustDocument) -> tuple[str, ...]:
    """Return the ids of the keys below the roots, in their order."""
    return tuple(_key(one.public).key_id for one in document.keys)


def _without(document: TrustDocument, key_id: str) -> tuple[Delegation, ...]:
    return tuple(one for one in document.keys if _key(one.public).key_id != key_id)


def _key(text: str) -> PublicKey:
    try:
        return public_key(text)
    except KeyInvalid as error:
        raise ChangeRefused(f"{text[:60]!r} is no public key: {error}") from None


def _checked(document: TrustDocument) -> TrustDocument:
    try:
        check(document)
        for text in document.authorities:
            read(text.encode())
    except EnvelopeInvalid as error:
        raise ChangeRefused(str(error)) from None
    except CertificateInvalid as error:
        raise ChangeRefused(f"one of its CAs is none: {error}") from None
    if not document.authorities:
        raise ChangeRefused("without a CA no device could connect")
    return document
