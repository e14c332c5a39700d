"""Keys of people, roots and operators: a file of one's own (PKCS#8 PEM, encrypted unless one insists) or a token or chip.

    root.pem                                       a file; its passphrase is asked for
    pkcs11:token=root;object=root?module-path=...  see `pkcs11`

Called by the commands about keys.
"""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archipel_contract.trust import minisign
from archipel_contract.trust.keys import (
    RAW_LENGTH,
    KeyInvalid,
    PrivateKey,
    Signer,
    SoftwareSigner,
    from_pem,
    to_pem,
)
from archipel_fleet.host import files
from archipel_fleet.trust import pkcs11
from archipel_fleet.trust.refusal import KeysRefused

ENCRYPTED = b"BEGIN ENCRYPTED PRIVATE KEY"
LIMIT = 64 << 10  # bytes of a file that could hold a key

Ask = Callable[[str], str]
"""Returns a passphrase or a PIN for what it is told; it may raise to give up."""


def write(path: Path, key: PrivateKey, passphrase: str) -> None:
    """Write a key's file, encrypted if there is a passphrase, and read it back; raise KeysRefused. A file that is there is
    never replaced: it could be the only copy of another key."""
    if path.exists():
        raise KeysRefused("fleet-keys-damaged", "it is there already and is not replaced", file=str(path))
    try:
        files.write_private(path, to_pem(key, passphrase.encode() or None).decode())
        files.flush_directory(path.absolute().parent)
    except OSError as error:
        raise KeysRefused("fleet-keys-damaged", str(error.strerror or error), file=str(path)) from error
    if SoftwareSigner(read(path, lambda _: passphrase)).key_id != SoftwareSigner(key).key_id:
        raise KeysRefused("fleet-keys-damaged", "it holds something else than was written", file=str(path))


def read(path: Path, ask: Ask) -> PrivateKey:
    """Return the key in a file; raise KeysRefused. `ask` is called if it is encrypted."""
    try:
        with path.open("rb") as file:
            text = file.read(LIMIT)
        password = ask(f"Passphrase of {path}: ").encode() if ENCRYPTED in text else None
        return from_pem(text, password)
    except (OSError, KeyInvalid) as error:
        detail = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
        raise KeysRefused("fleet-keys-damaged", detail, file=str(path)) from error


def signer(place: str, ask: Ask) -> Signer:
    """Return a signer over the key at `place`, a file or a token; raise KeysRefused."""
    if place.startswith(pkcs11.SCHEME):
        return pkcs11.TokenSigner(pkcs11.parse(place), ask)
    return SoftwareSigner(read(Path(place), ask))


def public(said: str) -> str:
    """Return the text of the public key that somebody named: that text itself, or a file or a line of minisign's, as keys
    for bundles have them; raise KeysRefused for anything else.
    """
    text = said.strip()
    if text.partition(":")[0] in RAW_LENGTH:
        return text
    path = Path(text)
    try:
        found = minisign.public_key(path.read_bytes() if path.is_file() else text.encode())
    except (OSError, KeyInvalid) as error:
        detail = "it is neither a public key nor a file with one of minisign's"
        raise KeysRefused("fleet-keys-damaged", detail, file=text[:80]) from error
    return str(found.key)


def recoverable(key: PrivateKey) -> Ed25519PrivateKey:
    """Return the key if it has a recovery text; raise KeysRefused for another kind than roots made here."""
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise KeysRefused("fleet-keys-damaged", "only Ed25519 keys have a recovery text", file="the key")
