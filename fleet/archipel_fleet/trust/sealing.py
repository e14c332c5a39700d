"""The fleet's private keys on their way out of the machine: sealed with a passphrase, as a few texts that fit into a copy.

scrypt (RFC 7914) makes a key of the passphrase, ChaCha20-Poly1305 (RFC 8439) locks all files together. Called by
`backup`. What belongs to servers (`tls/`) is not taken along: it is made anew.
"""

import base64
import binascii
import json
import re
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from archipel_contract.link.envelope import EnvelopeInvalid
from archipel_contract.names import RandomBytes
from archipel_fleet.host import files
from archipel_fleet.trust.refusal import KeysRefused
from archipel_fleet.trust.shelf import Shelf

COST, BLOCKS, LANES = 1 << 15, 8, 1  # 32 MiB and about 0.1 s for each guess
MOST_COST = 1 << 20  # what a foreign file may make us spend: 1 GiB
SALT, NONCE = 16, 12  # bytes
LEAST_LETTERS = 12  # of a passphrase
TAKEN = re.compile(r"k-[a-z0-9]+\.key|trust-\d{6,}\.frame")


class PassphraseRefused(Exception):
    """A passphrase is too short, or not the one; the message says which."""


def sealed(directory: Path, passphrase: str, random: RandomBytes) -> dict[str, Any]:
    """Return the keys in `directory` as what JSON takes; raise PassphraseRefused, KeysRefused."""
    if len(passphrase) < LEAST_LETTERS:
        raise PassphraseRefused(f"a passphrase for keys has at least {LEAST_LETTERS} letters")
    # Versions of the trust document first: the keys they need are put before them, so that none can be missing.
    try:
        names = sorted(path.name for path in directory.glob("trust-*.frame"))
        names += sorted(path.name for path in directory.glob("k-*.key"))
        held = {name: base64.b64encode((directory / name).read_bytes()).decode() for name in names}
    except OSError as error:
        raise KeysRefused("fleet-keys-damaged", str(error.strerror), file=str(error.filename)) from error
    if not held:
        raise KeysRefused("fleet-keys-missing", f"there are none in {directory}", data=str(directory))
    salt, nonce = random(SALT), random(NONCE)
    box = ChaCha20Poly1305(_key(passphrase, salt, COST)).encrypt(nonce, json.dumps(held).encode(), None)
    return {"cost": COST, "salt": _text(salt), "nonce": _text(nonce), "box": _text(box)}


def unsealed(seal: Any, passphrase: str) -> dict[str, bytes]:
    """Return the files in what `sealed` returned, by name; raise PassphraseRefused, ValueError for what is no seal."""
    try:
        salt, nonce, box = (base64.b64decode(seal[name], validate=True) for name in ("salt", "nonce", "box"))
        cost = seal["cost"]
        if (
            not isinstance(cost, int)
            or not 2 <= cost <= MOST_COST
            or cost & (cost - 1)
            or len(nonce) != NONCE
        ):
            raise ValueError("the keys in it are sealed in a way this program does not know")
        held = json.loads(ChaCha20Poly1305(_key(passphrase, salt, cost)).decrypt(nonce, box, None))
        if not all(TAKEN.fullmatch(name) for name in held):
            raise ValueError("there is more than keys among its keys")
        return {name: base64.b64decode(value, validate=True) for name, value in held.items()}
    except InvalidTag:
        raise PassphraseRefused("this is not the passphrase, or the keys in it were changed") from None
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"the keys in it cannot be read: {error}") from error


def put(held: dict[str, bytes], directory: Path) -> bool:
    """Make `directory` with these keys, at one stroke; False, with nothing done, where there are keys already.

    Raises KeysRefused where they are not the keys of one fleet, OSError.
    """
    if Shelf(directory).is_made:
        return False
    unfinished = directory.with_name(f"{directory.name}.new")
    files.make_private(directory.parent)
    files.remove_directory(unfinished)
    files.make_private(unfinished)
    for name, data in held.items():
        with files.writing_whole(unfinished / name) as file:
            file.write(data)
    try:
        Shelf(unfinished).chain()
    except (EnvelopeInvalid, KeysRefused):
        files.remove_directory(unfinished)
        raise
    files.rename(unfinished, directory)
    return True


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=BLOCKS, p=LANES).derive(passphrase.encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
