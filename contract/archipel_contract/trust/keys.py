"""Public keys as text, key ids, and signatures over exact bytes: Ed25519 (RFC 8032) for the fleet, P-256 for devices.

A device signs with the key of its TLS certificate: what it signs here begins with `{`, a certificate request with 0x30 and a
TLS 1.3 handshake with 64 spaces (RFC 8446, 4.4.3), so that one can never be taken for another.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from archipel_contract.names import ID_ALPHABET, ID_LENGTH

ED25519 = "ed25519"
P256 = "p256"
RAW_LENGTH = {ED25519: 32, P256: 33}  # bytes; P-256 as a compressed point (SEC 1, 2.3.3)
_ECDSA = ec.ECDSA(hashes.SHA256())

PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class KeyInvalid(ValueError):
    """A text or a file is no key we can use; the message says why and never repeats a private key."""


class SignatureInvalid(ValueError):
    """A signature does not belong to these bytes and this key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; as text `ed25519:` or `p256:` and base64 of the raw key."""

    algorithm: str
    raw: bytes

    def __str__(self) -> str:
        return f"{self.algorithm}:{base64.b64encode(self.raw).decode()}"

    @property
    def key_id(self) -> str:
        """`k-` and 80 bits of the SHA-256 of the key's text, in the alphabet of all our ids."""
        digest = hashlib.sha256(str(self).encode()).digest()
        return "k-" + "".join(ID_ALPHABET[byte % 32] for byte in digest[:ID_LENGTH])

    def verify(self, payload: bytes, signature: bytes) -> None:
        """Return if `signature` is this key's over exactly `payload`; raise SignatureInvalid, KeyInvalid."""
        try:
            if self.algorithm == ED25519:
                Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, payload)
            else:
                self._point().verify(signature, payload, _ECDSA)
        except InvalidSignature:
            raise SignatureInvalid(f"the signature is not one of {self.key_id} over these bytes") from None

    def _point(self) -> ec.EllipticCurvePublicKey:
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.raw)
        except ValueError as error:
            raise KeyInvalid(f"{self.key_id} is no point of the curve P-256") from error


def public_key(text: str) -> PublicKey:
    """Return the public key that `text` names; raise KeyInvalid."""
    algorithm, colon, encoded = text.partition(":")
    if not colon or algorithm not in RAW_LENGTH:
        raise KeyInvalid(f"a public key begins with {' or '.join(f'{one}:' for one in RAW_LENGTH)}")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyInvalid(f"a public key of {algorithm} is not base64: {error}") from None
    if len(raw) != RAW_LENGTH[algorithm]:
        raise KeyInvalid(f"a public key of {algorithm} has {RAW_LENGTH[algorithm]} bytes, not {len(raw)}")
    return PublicKey(algorithm, raw)


def public_of(key: object) -> PublicKey:
    """Return the public key of a private or public key of `cryptography`; raise KeyInvalid for another kind of key."""
    if isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        return public_of(key.public_key())
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(ED25519, key.public_bytes_raw())
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
        return PublicKey(P256, point)
    raise KeyInvalid("only Ed25519 and P-256 are used here")


class Signer(Protocol):
    """Something that signs with one key: a file, a token, a chip."""

    @property
    def public(self) -> PublicKey:
        """The key others verify with."""
        ...

    @property
    def key_id(self) -> str:
        """The id of that key."""
        ...

    def sign(self, payload: bytes) -> bytes:
        """Return a signature over exactly these bytes; raise SigningFailed."""
        ...


class SigningFailed(Exception):
    """The key cannot sign now (a token that is not there, a wrong PIN); the message says why in one line."""


class SoftwareSigner:
    """Signs with a private key in memory."""

    def __init__(self, key: PrivateKey) -> None:
        """Take an Ed25519 or P-256 key; raise KeyInvalid for another kind."""
        self._key = key
        self._public = public_of(key)
        self._key_id = self._public.key_id

    @property
    def public(self) -> PublicKey:
        """The key others verify with."""
        return self._public

    @property
    def key_id(self) -> str:
        """The id of that key."""
        return self._key_id

    def sign(self, payload: bytes) -> bytes:
        """Return a signature: 64 bytes for Ed25519, DER (70 to 72 bytes) for P-256."""
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(payload)
        return self._key.sign(payload, _ECDSA)


def public_der(key: PrivateKey) -> bytes:
    """Return the DER of a private key's public half (SubjectPublicKeyInfo), from which claim codes are reckoned."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def new_fleet_key() -> Ed25519PrivateKey:
    """Return a new key for a root, a controller or an operator."""
    return Ed25519PrivateKey.generate()


def new_device_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key for a device or a server: P-256, which chips and every TLS library know."""
    return ec.generate_private_key(ec.SECP256R1())


def to_pem(key: PrivateKey, password: bytes | None = None) -> bytes:
    """Return a private key as PKCS#8 PEM, encrypted if there is a password."""
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def from_pem(text: bytes, password: bytes | None = None) -> PrivateKey:
    """Return the private key in a PEM file; raise KeyInvalid (also for a missing or wrong password)."""
    try:
        key = serialization.load_pem_private_key(text, password)
    except TypeError as error:
        raise KeyInvalid(
            "the key is encrypted, and there is no password" if password is None else str(error)
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyInvalid("this is no private key in PEM, or the password is wrong") from None
    if not isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyInvalid("only Ed25519 and P-256 are used here")
    public_of(key)
    return key


def device_key_from_pem(text: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key in a PEM file without a password; raise KeyInvalid."""
    key = from_pem(text)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyInvalid("a device's key is P-256")
    return key
