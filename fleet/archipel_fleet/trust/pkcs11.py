"""Keys of roots and operators in a token or a hardware security module, over PKCS#11: the key never leaves it.

A key is named by an address of RFC 7512:

    pkcs11:token=root;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so

Its PIN comes from the file that `pin-source` names, or is asked for. Ed25519 (CKM_EDDSA) and P-256 (CKM_ECDSA) are known;
which of them a token has is its maker's choice. The library behind it (extra `pkcs11`) is loaded only when it is used.

A TPM is reached the same way where the distribution's PKCS#11 module for it is installed (libtpm2-pkcs11-1, P-256 only).
There is no code of ours for TPMs, and none of this was run against one: what is here is the seam.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from archipel_contract.trust.keys import KeyInvalid, PublicKey, SignatureInvalid, SigningFailed, public_of
from archipel_fleet.trust.refusal import KeysRefused

if TYPE_CHECKING:
    from pkcs11 import Session, Token

SCHEME = "pkcs11:"
INSTALL = "pip install 'archipel[pkcs11]'"
REFUSED = "fleet-token-unusable"
_ATTRIBUTES = ("token", "object", "serial")
T = TypeVar("T")
_IN_WORDS = {
    "PinIncorrect": "the PIN is wrong",
    "PinLenRange": "the PIN is wrong",
    "PinLocked": "the PIN is locked after too many wrong ones",
    "NoSuchToken": "there is no such token",
    "NoSuchKey": "there is no such key in it",
    "MultipleTokensReturned": "several tokens fit; name one by serial=",
    "MultipleObjectsReturned": "several keys have this name",
    "MechanismInvalid": "it cannot sign with this kind of key; make one it can, such as P-256",
}
_PROBE = b"archipel: does this key sign?"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAddress:
    """Where a key lies: the module to load, the token's label or serial, the key's label."""

    module: str
    object: str
    token: str = ""
    serial: str = ""
    pin_source: str = ""

    def __str__(self) -> str:
        return f"{self.object} in the token {self.token or self.serial or 'that is there'}"


def parse(text: str) -> TokenAddress:
    """Return the address in `text`; raise KeysRefused. A PIN in it is refused: others see it in the list of processes."""
    path, _, query = text.removeprefix(SCHEME).partition("?")
    said = {
        name: unquote(value) for part in path.split(";") if part for name, _, value in [part.partition("=")]
    }
    more = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))
    unknown = sorted(set(said) - {*_ATTRIBUTES, "type"}) + sorted(set(more) - {"module-path", "pin-source"})
    if not text.startswith(SCHEME) or "pin-value" in more or unknown:
        raise KeysRefused(
            REFUSED,
            "a PIN does not belong into the address; name a file by pin-source, or leave it out to be asked"
            if "pin-value" in more
            else f"the address has {', '.join(unknown)}; known are token, serial, object, module-path, pin-source",
        )
    if not more.get("module-path") or not said.get("object"):
        raise KeysRefused(REFUSED, "the address needs object=... and ?module-path=...")
    return TokenAddress(
        module=more["module-path"],
        object=said["object"],
        token=said.get("token", ""),
        serial=said.get("serial", ""),
        pin_source=more.get("pin-source", "").removeprefix("file:"),
    )


class TokenSigner:
    """Signs with a key in a token; see the contract's Signer. A session is opened for each signature and closed again."""

    def __init__(self, address: TokenAddress, ask: Callable[[str], str]) -> None:
        """Find the key and have it sign once, which also shows that PIN and mechanism work; raise KeysRefused."""
        self._address = address
        self._pin = _pin(address, ask)
        self._token = _token(address)
        try:
            self._public = self._with_session(lambda session: _public(session, address.object))
            self._public.verify(_PROBE, self.sign(_PROBE))
        except (SigningFailed, KeyInvalid, SignatureInvalid) as error:
            raise KeysRefused(REFUSED, str(error)) from error

    @property
    def public(self) -> PublicKey:
        """The key others verify with."""
        return self._public

    @property
    def key_id(self) -> str:
        """The id of that key."""
        return self._public.key_id

    def sign(self, payload: bytes) -> bytes:
        """Return a signature over exactly these bytes; raise SigningFailed."""
        return self._with_session(lambda session: _signature(session, self._address.object, payload))

    def _with_session(self, work: "Callable[[Session], T]") -> T:
        from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415 - an extra few have

        try:
            with self._token.open(user_pin=self._pin) as session:
                return work(session)
        except PKCS11Error as error:
            raise SigningFailed(f"{self._address}: {_said(error)}") from error


def _signature(session: "Session", label: str, payload: bytes) -> bytes:
    from pkcs11 import KeyType, Mechanism, ObjectClass  # noqa: PLC0415 - an extra few have

    key: Any = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=label)
    if key.key_type == KeyType.EC_EDWARDS:
        return bytes(key.sign(payload, mechanism=Mechanism.EDDSA))
    # Hashed here: not every token has the mechanism that hashes. It gives r and s side by side, others want them in DER.
    raw = bytes(key.sign(hashlib.sha256(payload).digest(), mechanism=Mechanism.ECDSA))
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


def _public(session: "Session", label: str) -> PublicKey:
    from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415 - an extra few have

    key: Any = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=label)
    point = _octets(bytes(key[Attribute.EC_POINT]))
    try:
        if key.key_type == KeyType.EC_EDWARDS:
            return public_of(Ed25519PublicKey.from_public_bytes(point))
        if key.key_type == KeyType.EC:
            return public_of(EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point))
    except ValueError:
        pass  # another curve
    raise KeyInvalid(f"{label} is neither Ed25519 nor P-256; make one the token can, such as P-256")


def _octets(der: bytes) -> bytes:
    """Return what a DER octet string holds (PKCS#11 2.40, CKA_EC_POINT); some modules give the bare point."""
    return der[2:] if len(der) > 2 and der[0] == 0x04 and der[1] == len(der) - 2 else der


def _token(address: TokenAddress) -> "Token":
    try:
        import pkcs11  # noqa: PLC0415 - an extra few have
        from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415 - an extra few have
    except ImportError as error:
        raise KeysRefused(REFUSED, f"the part for tokens is not installed: {INSTALL}") from error
    try:
        wanted: dict[str, Any] = {"token_label": address.token} if address.token else {}
        if address.serial:
            wanted["token_serial"] = address.serial.encode()
        return pkcs11.lib(address.module).get_token(**wanted)
    except PKCS11Error as error:
        raise KeysRefused(REFUSED, f"{address}: {_said(error)}") from error


def _pin(address: TokenAddress, ask: Callable[[str], str]) -> str:
    if not address.pin_source:
        return ask(f"PIN for {address}: ")
    try:
        return Path(address.pin_source).read_text(encoding="utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise KeysRefused(REFUSED, f"the PIN cannot be read from {address.pin_source}: {error}") from error


def _said(error: Exception) -> str:
    """Return an error of PKCS#11 in words; its class is often all it says."""
    name = type(error).__name__
    return _IN_WORDS.get(name) or f"{name} {error}".strip()
