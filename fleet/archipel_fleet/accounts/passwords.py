"""Passwords: hashing and checking with scrypt (RFC 7914), and making one for the first run.

Called by `service`. Knows no accounts and no database. The parameters stand in each hash, so that they can grow.
"""

import base64
import hashlib
import hmac
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

Entropy = Callable[[int], bytes]

# OWASP Password Storage Cheat Sheet, scrypt: N=2^14, r=8, p=5 is as strong as N=2^17, p=1 and needs 16 MiB, not 128.
DEFAULT_LOG_N, DEFAULT_R, DEFAULT_P = 14, 8, 5
SALT_BYTES = 16
KEY_BYTES = 32
MINIMUM_CHARACTERS = 12
MAXIMUM_BYTES = 512  # so that nobody makes the hash itself expensive
# Crockford's base 32: no letter that reads like a digit, as people type this from a screen.
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


class PasswordUnfit(ValueError):
    """The password cannot be taken; the message says what is asked of one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: memory is 128 * 2^log_n * r bytes, time grows with p."""

    log_n: int = DEFAULT_LOG_N
    r: int = DEFAULT_R
    p: int = DEFAULT_P


class Passwords:
    """Hashes and checks; one hash at a time, so that many logins at once cost time and not memory."""

    def __init__(self, entropy: Entropy, cost: Cost = Cost()) -> None:
        self._entropy = entropy
        self._cost = cost
        self._one_at_a_time = threading.Lock()

    def hashed(self, password: str) -> str:
        """Return the hash to store: `scrypt$LOG_N$R$P$SALT$KEY`, the last two in base 64."""
        salt = self._entropy(SALT_BYTES)
        key = self._key(password, salt, self._cost)
        cost = self._cost
        return f"scrypt${cost.log_n}${cost.r}${cost.p}${_text(salt)}${_text(key)}"

    def fits(self, password: str, stored: str | None) -> bool:
        """Whether `password` is the one behind `stored`; None (no such account) takes as long and is always False."""
        cost, salt, wanted = _parts(stored) if stored else (self._cost, bytes(SALT_BYTES), b"")
        return hmac.compare_digest(self._key(password, salt, cost), wanted or bytes(KEY_BYTES)) and bool(
            wanted
        )

    def _key(self, password: str, salt: bytes, cost: Cost) -> bytes:
        # The same letters typed on another keyboard may be composed differently (RFC 8265, OpaqueString: NFC).
        secret = unicodedata.normalize("NFC", password).encode("utf-8", "replace")[:MAXIMUM_BYTES]
        needed = 128 * cost.r * ((1 << cost.log_n) + cost.p + 2)
        with self._one_at_a_time:
            return hashlib.scrypt(
                secret, salt=salt, n=1 << cost.log_n, r=cost.r, p=cost.p, maxmem=needed, dklen=KEY_BYTES
            )


def _parts(stored: str) -> tuple[Cost, bytes, bytes]:
    kind, log_n, r, p, salt, key = stored.split("$")
    if kind != "scrypt":
        raise ValueError(f"a password is stored as {kind!r}, which this version does not know")
    return Cost(int(log_n), int(r), int(p)), base64.b64decode(salt), base64.b64decode(key)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def check_fitness(password: str, name: str) -> None:
    """Raise PasswordUnfit for one that is too short, too long, or holds the account's name."""
    if len(password) < MINIMUM_CHARACTERS:
        raise PasswordUnfit(f"a password has at least {MINIMUM_CHARACTERS} characters")
    if len(password.encode("utf-8", "replace")) > MAXIMUM_BYTES:
        raise PasswordUnfit(f"a password has at most {MAXIMUM_BYTES} bytes")
    if name.casefold() in password.casefold():
        raise PasswordUnfit("a password does not contain the name of its account")


def made_up(entropy: Entropy) -> str:
    """Return a password for the first run: four groups of five characters, 100 random bits."""
    letters = [_LETTERS[byte % 32] for byte in entropy(20)]
    return "-".join("".join(letters[start : start + 5]) for start in range(0, 20, 5))
