"""Sessions: random tokens of 256 bits of which only the SHA-256 is stored, and how long they last.

Called by `service`. The time a session began stands in its token, so that the longest life needs no column of its own; who
changes it has another token, whose digest nobody knows.
"""

import base64
import hashlib
import hmac
import threading
from collections import OrderedDict
from dataclasses import dataclass

from archipel_fleet.accounts.passwords import Entropy

SECOND = 1000  # milliseconds
IDLE = 12 * 3600 * SECOND  # a working day
LONGEST = 7 * 86400 * SECOND
RENEW_AFTER = 300 * SECOND  # the store is told of a session's use at most that often
REMEMBERED = 10_000  # sessions whose last renewal is remembered; of others the store is told once more
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A session's secret; `text` goes into the cookie or the header."""

    text: str
    began: int

    @property
    def digest(self) -> str:
        """What the store knows it by."""
        return digest(self.text)

    @property
    def end(self) -> int:
        """When it ends at the latest."""
        return self.began + LONGEST

    def until(self, now: int) -> int:
        """When it ends if nothing comes after `now`."""
        return min(now + IDLE, self.end)


def new(entropy: Entropy, now: int) -> Token:
    """Return a new token that begins now."""
    secret = base64.urlsafe_b64encode(entropy(TOKEN_BYTES)).rstrip(b"=").decode()
    return Token(f"{now:x}.{secret}", now)


def read(text: str) -> Token | None:
    """Return the token in `text`; None if it cannot be one."""
    began, dot, secret = text.partition(".")
    if not dot or not 40 <= len(secret) <= 60 or len(began) > 12 or not text.isascii():
        return None
    try:
        return Token(text, int(began, 16))
    except ValueError:
        return None


def digest(text: str) -> str:
    """Return the SHA-256 of a token, in hex. No salt: 256 random bits cannot be guessed from it."""
    return hashlib.sha256(text.encode()).hexdigest()


def form_token(text: str) -> str:
    """Return what the forms of this session carry against forgery: made from its token, and no way back to it."""
    return hmac.new(text.encode(), b"archipel form", hashlib.sha256).hexdigest()


class Renewals:
    """When the store was last told that a session is in use: a page with ten requests writes once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: OrderedDict[str, int] = OrderedDict()

    def due(self, digest: str, now: int) -> bool:
        """Whether the store should be told now; then it counts as told."""
        with self._lock:
            told = self._told.get(digest)
            # A clock that was set back must not keep a session from being renewed.
            if told is not None and 0 <= now - told < RENEW_AFTER:
                return False
            self._told[digest] = now
            self._told.move_to_end(digest)
            while len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
            return True
