"""Signatures and keys as the stock program `minisign` writes and reads them, so that a stick can be checked with it.

Format: jedisct1.github.io/minisign. Only the prehashed kind (`ED`: Ed25519 over the BLAKE2b-512 of the content) is made
and accepted. The comment under the signature is signed too, the one above it is not. Private keys may be locked by a
password (scrypt, as libsodium chooses its parameters); new ones are made without, for a file only its owner reads.
"""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archipel_contract.trust.keys import ED25519, KeyInvalid, PublicKey

PREHASHED, PLAIN_KEY = b"ED", b"Ed"
SCRYPT, BLAKE2, NO_LOCK = b"Sc", b"B2", b"\0\0"
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
SECRET = struct.Struct(
    "<2s2s2s32sQQ104s"
)  # kinds of key, lock and checksum; salt, effort, memory; the locked part
SCRYPT_MEMORY_LIMIT = 2 << 30  # bytes; minisign itself uses one gigabyte
COMMENT_LIMIT = 8192  # characters, as minisign has it


class SignatureMalformed(ValueError):
    """What should be a signature of minisign is none; the message says why."""


class PasswordNeeded(KeyInvalid):
    """The private key is locked."""


@dataclass(frozen=True, slots=True)
class MinisignKey:
    """A public key with the eight bytes by which signatures name it."""

    number: bytes
    key: PublicKey

    @property
    def id(self) -> str:
        """How minisign shows the number: hexadecimal digits, as a little-endian integer."""
        return f"{int.from_bytes(self.number, 'little'):016X}"


@dataclass(frozen=True, slots=True)
class MinisignSignature:
    """A signature, taken apart."""

    number: bytes
    signature: bytes
    comment: str
    over_comment: bytes

    @property
    def id(self) -> str:
        """The number of the key, as minisign shows it."""
        return f"{int.from_bytes(self.number, 'little'):016X}"


class MinisignSigner:
    """Signs with a private key."""

    def __init__(self, seed: bytes, number: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self.public = MinisignKey(number, PublicKey(ED25519, self._key.public_key().public_bytes_raw()))

    def sign(self, content: bytes, comment: str) -> bytes:
        """Return the text of a signature over `content`, with a comment of one line that is signed as well."""
        if "\n" in comment or "\r" in comment or len(comment) > COMMENT_LIMIT:
            raise ValueError("the comment must be one short line")
        value = self._key.sign(_hash(content))
        over = self._key.sign(value + comment.encode())
        first = base64.b64encode(PREHASHED + self.public.number + value).decode()
        lines = (
            f"{UNTRUSTED}signature by {self.public.id}",
            first,
            f"{TRUSTED}{comment}",
            base64.b64encode(over).decode(),
        )
        return ("\n".join(lines) + "\n").encode()

    def secret_text(self) -> bytes:
        """Return the text of the private key, not locked by a password; for a file of mode 0600."""
        number, both = self.public.number, self._seed + self.public.key.raw
        inner = number + both + _checksum(number, both)
        packed = SECRET.pack(PLAIN_KEY, NO_LOCK, BLAKE2, bytes(32), 0, 0, inner)
        return (
            f"{UNTRUSTED}minisign secret key {self.public.id}\n{base64.b64encode(packed).decode()}\n".encode()
        )


def new_signer(entropy: bytes) -> MinisignSigner:
    """Return a signer with a new key from 40 random bytes."""
    if len(entropy) != 40:
        raise ValueError("a key takes 40 random bytes")
    return MinisignSigner(entropy[8:], entropy[:8])


def public_text(public: MinisignKey) -> bytes:
    """Return the text of a public key file."""
    body = base64.b64encode(PLAIN_KEY + public.number + public.key.raw).decode()
    return f"{UNTRUSTED}minisign public key {public.id}\n{body}\n".encode()


def public_key(text: bytes) -> MinisignKey:
    """Return the key in a public key file, or in its second line alone; raise KeyInvalid."""
    raw = _decoded(_lines(text)[-1] if _lines(text) else "", KeyInvalid("it is no public key of minisign"))
    if len(raw) != 42 or raw[:2] != PLAIN_KEY:
        raise KeyInvalid("it is no public key of minisign")
    return MinisignKey(raw[2:10], PublicKey(ED25519, raw[10:]))


def signer(text: bytes, password: bytes | None = None) -> MinisignSigner:
    """Return the signer of a private key file; raise PasswordNeeded, KeyInvalid (also for a wrong password)."""
    raw = _decoded(_lines(text)[-1] if _lines(text) else "", KeyInvalid("it is no private key of minisign"))
    if len(raw) != SECRET.size:
        raise KeyInvalid("it is no private key of minisign")
    kind, lock, checksum, salt, effort, memory, inner = SECRET.unpack(raw)
    if kind != PLAIN_KEY or checksum != BLAKE2 or lock not in (SCRYPT, NO_LOCK):
        raise KeyInvalid("it is a private key of a kind that is not known here")
    if lock == SCRYPT:
        if password is None:
            raise PasswordNeeded("the private key is locked by a password")
        stream = _scrypt(password, salt, effort, memory)
        inner = bytes(one ^ other for one, other in zip(inner, stream, strict=True))
    number, both, sum_ = inner[:8], inner[8:72], inner[72:]
    made = MinisignSigner(both[:32], number)
    # minisign leaves the checksum of a key without a password empty; the public half says whether the key is whole.
    if (lock == SCRYPT and sum_ != _checksum(number, both)) or made.public.key.raw != both[32:]:
        raise KeyInvalid("the password is wrong, or the private key is damaged")
    return made


def parsed(text: bytes) -> MinisignSignature:
    """Return the signature in `text`, nothing verified; raise SignatureMalformed."""
    lines = _lines(text)
    if len(lines) != 4 or not lines[0].startswith(UNTRUSTED) or not lines[2].startswith(TRUSTED):
        raise SignatureMalformed("it has not the four lines of a signature by minisign")
    wrong = SignatureMalformed("its lines are not base64")
    first, over = _decoded(lines[1], wrong), _decoded(lines[3], wrong)
    if first[:2] != PREHASHED:
        raise SignatureMalformed("it is of an old kind; sign again with minisign 0.10 or newer")
    if len(first) != 74 or len(over) != 64:
        raise SignatureMalformed("it is not as long as a signature is")
    return MinisignSignature(first[2:10], first[10:], lines[2].removeprefix(TRUSTED), over)


def verify(content: bytes, signature: MinisignSignature, key: PublicKey) -> None:
    """Return if the signature and its comment are this key's over exactly `content`; raise SignatureInvalid."""
    key.verify(_hash(content), signature.signature)
    key.verify(signature.signature + signature.comment.encode(), signature.over_comment)


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content).digest()


def _checksum(number: bytes, both: bytes) -> bytes:
    return hashlib.blake2b(PLAIN_KEY + number + both, digest_size=32).digest()


def _lines(text: bytes) -> list[str]:
    return [line for line in text.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n") if line]


def _decoded(line: str, wrong: ValueError) -> bytes:
    try:
        return base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None


def _scrypt(password: bytes, salt: bytes, effort: int, memory: int) -> bytes:
    """Return 104 bytes from a password, the parameters chosen as libsodium's `pickparams` does."""
    effort, block = max(effort, 32768), 8
    if not 0 < memory <= SCRYPT_MEMORY_LIMIT or effort > 1 << 32:
        raise KeyInvalid("the lock of the private key asks for more memory than is taken here")
    if effort < memory // 32:
        most, lanes = effort // (block * 4), 1
        rounds = _power(most)
    else:
        rounds = _power(memory // (block * 128))
        lanes = min(effort // 4 // rounds, 0x3FFFFFFF) // block
    limit = 128 * block * (rounds + lanes + 2)
    return hashlib.scrypt(
        password, salt=salt, n=rounds, r=block, p=max(lanes, 1), maxmem=limit + (1 << 20), dklen=104
    )


def _power(most: int) -> int:
    """Return the least power of two, at least 2, that is above half of `most`."""
    found = 2
    while found <= most // 2:
        found *= 2
    return found
