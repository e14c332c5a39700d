"""What is typed or scanned to enrol a device: the token `id.secret.pin`, the link that holds it, and claim codes.

The pin is SHA-256 of the public key of the fleet's CA (RFC 7469's pin, in our alphabet), so that the first connection
needs no CA of the world and no right clock. A claim code is for a device without a token: console and fleet each reckon
it from the device's key and the CA they see, and somebody who compares the two sees whether anybody sits in between.
"""

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from archipel_contract.names import ID_ALPHABET, SITE_ID, RandomBytes
from archipel_contract.trust.enrolment import VOUCHER

TOKEN_ID_LENGTH = 8
SECRET_LENGTH = 26  # 130 bits
PIN_LENGTH = 26  # 130 bits: an attacker needs a second key with the same pin
CLAIM_LENGTH = 12  # 60 bits, in three groups to read aloud
_PART = f"[{ID_ALPHABET}]"
_TOKEN = re.compile(
    rf"({_PART}{{{TOKEN_ID_LENGTH}}})\.({_PART}{{{SECRET_LENGTH}}})\.({_PART}{{{PIN_LENGTH}}})"
)
_VOUCHED = re.compile(
    rf"{VOUCHER}\.({SITE_ID.pattern})\.({_PART}{{{PIN_LENGTH}}})\.([A-Za-z0-9+/]{{40,8000}}={{0,2}})"
)
# Letters that the alphabet leaves out because they are misread, as what they were meant to be (Crockford).
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "u": "v"})


class TokenInvalid(ValueError):
    """A text is no token or link; the message says what is wrong with it and never repeats the secret."""


@dataclass(frozen=True, slots=True)
class Token:
    """A one-time token; as text without its secret, so that it can be logged."""

    id: str
    secret: str = field(repr=False)
    pin: str

    def __str__(self) -> str:
        return f"{self.id}.***.{self.pin}"

    @property
    def text(self) -> str:
        """The token as it is typed."""
        return f"{self.id}.{self.secret}.{self.pin}"

    @property
    def digest(self) -> str:
        """What the fleet keeps instead of the secret: SHA-256, in hexadecimal digits."""
        return hashlib.sha256(f"{self.id}.{self.secret}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Vouched:
    """A node's word for another node of its site. Nothing of it is secret: it is good for the key that it names."""

    site_id: str
    pin: str
    frame: str  # base64 of the signed Voucher's frame

    @property
    def text(self) -> str:
        """The voucher as it stands in a link."""
        return f"{VOUCHER}.{self.site_id}.{self.pin}.{self.frame}"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Where to enrol, and by what right; neither token nor voucher: by a claim code."""

    address: str  # https://host:port
    token: Token | None = None
    vouched: Vouched | None = None

    @property
    def pin(self) -> str:
        """The pin of the fleet's CA; empty where a person compares it by the claim code."""
        right = self.token or self.vouched
        return right.pin if right is not None else ""

    @property
    def text(self) -> str:
        """The link as it is scanned or typed: the right stands behind `#`, which no server ever sees in its log."""
        right = self.token or self.vouched
        return f"{self.address}/#{right.text}" if right is not None else self.address


def token(text: str) -> Token:
    """Return the token in `text`, forgiving capitals, spaces and misread letters; raise TokenInvalid."""
    plain = re.sub(r"[\s-]", "", text).lower().translate(_MISREAD)
    found = _TOKEN.fullmatch(plain)
    if found is None:
        lengths = [len(part) for part in plain.split(".")]
        wanted = [TOKEN_ID_LENGTH, SECRET_LENGTH, PIN_LENGTH]
        raise TokenInvalid(
            f"a token has three parts of {wanted} characters with dots between them; this has parts of {lengths}"
        )
    return Token(found[1], found[2], found[3])


def _vouched(text: str) -> Vouched:
    """Return the voucher of a link; whether it holds is the fleet's to say. Raises TokenInvalid."""
    found = _VOUCHED.fullmatch(text)
    if found is None:
        raise TokenInvalid("the voucher in this link is not whole; copy the file once more")
    return Vouched(found[1], found[2], found[3])


def invitation(text: str) -> Invitation:
    """Return what a link such as `https://fleet.example:8471/#id.secret.pin` says; raise TokenInvalid."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise TokenInvalid("this is no address such as https://fleet.example:8471") from None
    if parts.scheme != "https" or not parts.hostname:
        raise TokenInvalid("an address to enrol at begins with https:// and names a host")
    if parts.path not in ("", "/") or parts.query or parts.username:
        raise TokenInvalid("there is something behind host and port that does not belong there")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"https://{host}" + (f":{port}" if port else "")
    if parts.fragment.startswith(f"{VOUCHER}."):
        return Invitation(address, vouched=_vouched(parts.fragment))
    return Invitation(address, token(parts.fragment) if parts.fragment else None)


def new_token(random: RandomBytes, pin: str) -> Token:
    """Return a new token; `random(n)` gives n random bytes."""
    return Token(_letters(random(TOKEN_ID_LENGTH)), _letters(random(SECRET_LENGTH)), pin)


def pin_of(ca_public_key_der: bytes) -> str:
    """Return the pin of a CA: of the DER of its SubjectPublicKeyInfo."""
    return _letters(hashlib.sha256(ca_public_key_der).digest()[:PIN_LENGTH])


def claim_code(device_public_key_der: bytes, ca_public_key_der: bytes) -> str:
    """Return the code for a device and a CA, such as `7k2m-9qxf-04hv`."""
    together = hashlib.sha256(device_public_key_der).digest() + hashlib.sha256(ca_public_key_der).digest()
    letters = _letters(hashlib.sha256(b"claim" + together).digest()[:CLAIM_LENGTH])
    return "-".join(letters[at : at + 4] for at in range(0, CLAIM_LENGTH, 4))


def _letters(data: bytes) -> str:
    return "".join(ID_ALPHABET[byte % 32] for byte in data)
