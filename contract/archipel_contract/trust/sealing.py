"""Sealing: files only the holders of recovery keys can open, in the age format, so that the stock `age` opens them too.

The door to `pyrage` (age-encryption.org/v1: X25519 recipients, ChaCha20-Poly1305 in chunks of 64 KiB). Whole files never
stand in memory. A sealed file names none of its recipients, and a changed or missing byte anywhere is noticed; who made
it is not proven, for sealing takes public halves only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import pyrage

SECRET_PREFIX = "AGE-SECRET-KEY-1"


class RecipientInvalid(ValueError):
    """A text is no recipient; the message says why."""


class RecoveryKeyInvalid(ValueError):
    """A text holds no recovery key; the message never repeats what it holds."""


class SealBroken(Exception):
    """A sealed file cannot be opened: it is cut off, changed, or none at all."""


class NotForThisKey(SealBroken):
    """It was sealed for other keys than those given."""


class Sink(Protocol):
    """Takes bytes as they are opened."""

    def write(self, data: bytes) -> int:
        """Take some; return how many."""
        ...

    def flush(self) -> None:
        """Nothing is kept back."""
        ...


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """A new recovery key: the secret is shown once and kept nowhere, the recipient may be known to every machine."""

    secret: str
    recipient: str


def new_recovery_key() -> RecoveryKey:
    """Make one."""
    identity = pyrage.x25519.Identity.generate()
    return RecoveryKey(secret=str(identity), recipient=str(identity.to_public()))


def checked_recipient(text: str) -> str:
    """Return a recipient (`age1...`) as it is written; raise RecipientInvalid."""
    word = text.strip()
    if word.upper().startswith(SECRET_PREFIX):
        raise RecipientInvalid("this is a secret key; a recipient begins with age1 and is its public half")
    try:
        return str(pyrage.x25519.Recipient.from_str(word))
    except pyrage.RecipientError:
        raise RecipientInvalid(
            f"{word[:70]!r} is no recipient: it begins with age1 and has 62 characters"
        ) from None


def secrets_in(text: str) -> tuple[str, ...]:
    """Return the secret keys in a file as `archipel backup key new` and `age-keygen` write it, also typed in groups.

    Lines that begin with # are remarks; blanks inside a key, and small letters, are forgiven. Raises RecoveryKeyInvalid.
    """
    body = "".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = "".join(body.split()).upper()
    if not joined.startswith(SECRET_PREFIX):
        raise RecoveryKeyInvalid(f"it holds no line that begins with {SECRET_PREFIX}")
    secrets = tuple(SECRET_PREFIX + part for part in joined.split(SECRET_PREFIX) if part)
    for secret in secrets:
        recipient_of(secret)
    return secrets


def recipient_of(secret: str) -> str:
    """Return the public half of a secret key; raise RecoveryKeyInvalid."""
    try:
        return str(pyrage.x25519.Identity.from_str(secret).to_public())
    except pyrage.IdentityError:
        raise RecoveryKeyInvalid(
            "it holds a key with a typing error: the key's own checksum is off"
        ) from None


def seal(content: Iterable[bytes], sealed: BinaryIO, recipients: Iterable[str]) -> None:
    """Write `content` sealed for all `recipients`; raise RecipientInvalid, and what reading or writing raises."""
    known = [pyrage.x25519.Recipient.from_str(checked_recipient(one)) for one in recipients]
    if not known:
        raise RecipientInvalid("nothing is sealed for nobody")
    source, target = _Reader(iter(content)), _Target(sealed)
    try:
        pyrage.encrypt_io(source, target, known)
    except (OSError, pyrage.EncryptError) as error:
        raise (source.error or target.error or error) from error


def open_sealed(sealed: BinaryIO, content: Sink, secrets: Iterable[str]) -> None:
    """Write what is sealed to `content` as it is read; raise SealBroken, NotForThisKey, RecoveryKeyInvalid, and what reading
    or writing raises.

    What was written before a SealBroken is genuine up to there, but not whole.
    """
    try:
        known = [pyrage.x25519.Identity.from_str(one) for one in secrets]
    except pyrage.IdentityError:
        raise RecoveryKeyInvalid("it holds a key with a typing error") from None
    source, target = _Source(sealed), _Target(content)
    try:
        pyrage.decrypt_io(source, target, known)
    except (OSError, EOFError, pyrage.DecryptError) as error:
        if (raised := source.error or target.error) is not None:
            raise raised from error
        if isinstance(error, pyrage.DecryptError) and "No matching keys" in str(error):
            raise NotForThisKey("it was sealed for other keys") from error
        raise SealBroken(str(error) or "it ends in the middle") from error


class _Reader:
    """Gives what an iterator yields as a stream; an error of the iterator is kept, because pyrage shows it as its own."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._rest:
                part = next(self._parts, None)
                if part is None:
                    return b""
                self._rest = memoryview(part)
        except BaseException as error:
            self.error = error
            raise OSError(str(error)) from error
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)


class _Source:
    """A file to read from whose own error is kept, because pyrage shows it as its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except BaseException as error:
            self.error = error
            raise OSError(str(error)) from error


class _Target:
    """A file to write to whose own error is kept, for the same reason."""

    def __init__(self, file: BinaryIO | Sink) -> None:
        self._file = file
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        if self.error is not None:  # pyrage writes once more at its end
            raise OSError(str(self.error))
        try:
            return self._file.write(data)
        except BaseException as error:
            self.error = error
            raise OSError(str(error)) from error

    def flush(self) -> None:
        self._file.flush()
