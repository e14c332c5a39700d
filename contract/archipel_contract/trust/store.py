"""The one TrustStore: everything that verifies a signature of the fleet asks it, on the device and at the fleet.

Pure: it holds a trust document and takes the next one; who keeps the bytes is its owner's affair. A signature that is not
heeded is refused with a code, which is also the finding: message-unsigned, message-forged, message-untrusted,
message-revoked, message-expired-key, trust-rolled-back, trust-not-of-this-fleet; message-malformed and message-newer for
what cannot be read.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from archipel_contract.link.envelope import SEQUENCE_LIMIT, Envelope, EnvelopeInvalid, Frame, envelope_from
from archipel_contract.trust.keys import KeyInvalid, PublicKey, SignatureInvalid, public_key
from archipel_contract.trust_document import FOREVER, FORMAT, Delegation, TrustDocument
from archipel_contract.wire import WireError, from_data

TRUST = "trust"  # type of the envelope
ROOTS_LIMIT = 16
KEYS_LIMIT = 256
RECOVERY_LIMIT = 8
RECIPIENT_LIMIT = 4096  # characters: room for kinds of recipients to come, far above X25519's 62


class NotTrusted(EnvelopeInvalid):
    """What was signed is not heeded; `code` is the finding."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed, as far as that counts."""

    keys: tuple[Delegation, ...]


class TrustStore:
    """What is trusted now, and the rule by which that changes."""

    def __init__(self, document: TrustDocument) -> None:
        """Trust a document that was verified before (see `first` and `after`); raise NotTrusted when it contradicts
        itself.
        """
        check(document)
        self.document = document
        self._keys = {public_key(one.public).key_id: one for one in document.keys}
        self._publics = {key_id: public_key(one.public) for key_id, one in self._keys.items()}

    @classmethod
    def first(cls, frame: Frame) -> "TrustStore":
        """Return a store over the first document a device ever gets; raise NotTrusted.

        That it is the right fleet's is known by how it came: it only has to be signed by enough of its own roots.
        """
        document = document_in(frame)
        check(document)
        _require(frame, document.roots, document.threshold)
        return cls(document)

    def after(self, frame: Frame) -> "TrustStore":
        """Return the store over the next document; raise NotTrusted. The same version again is this store."""
        _require(frame, self.document.roots, self.document.threshold)  # before a byte of it is read
        document = document_in(frame)
        if document.fleet_id != self.document.fleet_id:
            raise NotTrusted(
                "trust-not-of-this-fleet", f"it is {document.fleet_id}'s, not {self.document.fleet_id}'s"
            )
        if document.version < self.document.version or (
            document.version == self.document.version and document != self.document
        ):
            raise NotTrusted(
                "trust-rolled-back", f"version {document.version} after version {self.document.version}"
            )
        check(document)
        _require(frame, document.roots, document.threshold)
        return self if document == self.document else TrustStore(document)

    def authentic(self, frame: Frame) -> Signed:
        """Return who signed, if every signature is a good one of a key of this fleet that was not revoked; raise NotTrusted.

        Says nothing about what the keys may do: for a reader that must read to know what to demand (see `permit`).
        """
        if not frame.signatures:
            raise NotTrusted("message-unsigned", "it is not signed")
        found = [self._signed_by(frame.payload, one.key_id, one.value) for one in frame.signatures]
        return Signed(tuple(dict.fromkeys(found)))

    def require(
        self, frame: Frame, purpose: str, now: int | None, needed: int = 1, site_id: str = "", floor: int = 0
    ) -> Signed:
        """Return who signed, if at least `needed` different holders of keys that may do `purpose` did; raise NotTrusted.

        `authentic` and `permit` in one. Every signature must be good, also one too many.
        """
        signed = self.authentic(frame)
        self.permit(signed, purpose, now, needed, site_id, floor)
        return signed

    def permit(
        self,
        signed: Signed,
        purpose: str,
        now: int | None,
        needed: int = 1,
        site_id: str = "",
        floor: int = 0,
    ) -> None:
        """Return if who signed may do `purpose`, all of them, and they are enough; raise NotTrusted.

        Two keys of one person are one holder, and so are all keys of controllers: what needs two signatures needs two
        heads. `now` is milliseconds since 1970 UTC; None when the clock cannot be trusted: then no key counts as early,
        none as expired that ends after `floor` (a time that is surely past), and it is the caller's to demand proof of
        freshness.
        """
        for key in signed.keys:
            key_id = public_key(key.public).key_id
            _check_use(key, key_id, purpose, site_id)
            _check_time(key, key_id, now, floor)
        holders = len({one.holder for one in signed.keys})
        if holders < needed:
            raise NotTrusted(
                "message-untrusted",
                f"{purpose} needs signatures of {needed} different people or the controller, it has {holders}",
            )

    def _signed_by(self, payload: bytes, key_id: str, signature: bytes) -> Delegation:
        if key_id in self.document.revoked:
            raise NotTrusted("message-revoked", f"the key {key_id} was revoked")
        key = self._keys.get(key_id)
        if key is None:
            raise NotTrusted("message-untrusted", f"the key {key_id} is none of this fleet's")
        _verify(self._publics[key_id], payload, signature)
        return key


def _check_use(key: Delegation, key_id: str, purpose: str, site_id: str) -> None:
    if not key.permits(purpose):
        raise NotTrusted("message-untrusted", f"the key {key_id} ({key.name}) may not {purpose}")
    if key.sites and site_id not in key.sites:
        raise NotTrusted("message-untrusted", f"the key {key_id} ({key.name}) is for other sites")


def _check_time(key: Delegation, key_id: str, now: int | None, floor: int) -> None:
    if key.expires != FOREVER and key.expires <= (floor if now is None else now):
        raise NotTrusted("message-expired-key", f"the key {key_id} ({key.name}) has expired")
    if now is not None and now < key.not_before:
        raise NotTrusted("message-expired-key", f"the key {key_id} ({key.name}) is not valid yet")


def envelope_in(frame: Frame) -> Envelope:
    """Return the envelope in a frame, nothing verified; raise NotTrusted, never anything else."""
    try:
        return envelope_from(frame.payload)
    except EnvelopeInvalid as error:
        raise NotTrusted(error.code, str(error)) from error


def document_in(frame: Frame) -> TrustDocument:
    """Return the trust document in a frame, nothing verified; raise NotTrusted."""
    try:
        envelope = envelope_in(frame)
        if envelope.type != TRUST:
            raise NotTrusted("message-foreign", f"this is a {envelope.type[:40]}, not a trust document")
        return from_data(TrustDocument, envelope.body)
    except WireError as error:
        raise NotTrusted("message-malformed", str(error)) from error


def check(document: TrustDocument) -> None:
    """Raise NotTrusted when a document contradicts itself: no roots, a threshold nobody can meet, a key that is none."""
    try:
        roots = {public_key(one).key_id for one in document.roots}
        keys = [public_key(one.public).key_id for one in document.keys]
    except KeyInvalid as error:
        raise NotTrusted("message-malformed", str(error)) from error
    if not 0 < len(roots) <= ROOTS_LIMIT or len(roots) != len(document.roots):
        raise NotTrusted("message-malformed", f"1 to {ROOTS_LIMIT} different roots are needed")
    if not 0 < document.threshold <= len(roots):
        raise NotTrusted("message-malformed", f"a threshold of {document.threshold} of {len(roots)} roots")
    if len(keys) > KEYS_LIMIT or len(set(keys)) != len(keys) or roots & set(keys):
        raise NotTrusted("message-malformed", f"at most {KEYS_LIMIT} different keys, none of them a root")
    if roots & set(document.revoked):
        raise NotTrusted("message-malformed", "a root is revoked; it has to leave the roots")
    if not 0 < document.version < SEQUENCE_LIMIT or not document.fleet_id:
        raise NotTrusted("message-malformed", "version and fleet id are needed")
    longest = max(map(len, document.recovery), default=0)
    if len(document.recovery) > RECOVERY_LIMIT or longest > RECIPIENT_LIMIT:
        raise NotTrusted("message-malformed", f"at most {RECOVERY_LIMIT} recovery recipients")
    if document.format > FORMAT:
        # What a later format adds may be a limit: whoever passes over it would heed more than the root allowed.
        raise NotTrusted(
            "message-newer", f"format {document.format} of the trust document, {FORMAT} is known here"
        )


def _require(frame: Frame, roots: Iterable[str], threshold: int) -> None:
    """Raise NotTrusted unless at least `threshold` of these roots signed; signatures of others are passed over."""
    known = {key.key_id: key for key in map(public_key, roots)}
    good: set[str] = set()
    for signature in frame.signatures:
        if signature.key_id in known and signature.key_id not in good:
            _verify(known[signature.key_id], frame.payload, signature.value)
            good.add(signature.key_id)
    if len(good) < threshold:
        code = "message-unsigned" if not frame.signatures else "message-untrusted"
        raise NotTrusted(code, f"signed by {len(good)} of {threshold} roots that are needed")


def _verify(key: PublicKey, payload: bytes, signature: bytes) -> None:
    try:
        key.verify(payload, signature)
    except (SignatureInvalid, KeyInvalid) as error:
        raise NotTrusted("message-forged", str(error)) from error
