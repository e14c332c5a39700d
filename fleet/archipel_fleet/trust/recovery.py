"""A root key as text on paper: groups of five characters, in which a typing error is found and its place is named.

A key (the 32 bytes of an Ed25519 seed, RFC 8032) becomes 52 characters of 5 bits and thirteen groups of four; each group
ends with a fifth that is reckoned from the four and from the group's place. A fourteenth group is reckoned from the whole
key. One wrong character in a group is always found, and so is an exchange of two characters of a group or of two groups.
Nothing is corrected: who has the paper finds the right character surely, a code would guess.
"""

import hashlib
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archipel_contract.names import ID_ALPHABET
from archipel_contract.trust.keys import public_of

HEADING = "Archipel root key"
GROUP = 5  # characters, the last of them the check
DATA = GROUP - 1
SEED_BYTES = 32
DATA_GROUPS = 13  # 52 characters hold 260 bits
GROUPS = DATA_GROUPS + 1
_ROW = 4  # groups in a line
_ROW_LABEL = re.compile(r"^\s*\d{1,2}:", re.MULTILINE)
# Letters the alphabet leaves out, as what they were meant to be (Crockford), as in tokens.
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "u": "v"})
_WEIGHTS = (
    2,
    4,
    8,
    16,
)  # of the four characters, as elements of GF(32): all different, none 0, and 1 is the check's
_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, irreducible


class RecoveryInvalid(ValueError):
    """A text is no recovery text; the message names the group and never repeats what was typed elsewhere."""


def text(key: Ed25519PrivateKey) -> str:
    """Return a key as lines to print: a heading that names the key, then the groups in numbered rows."""
    groups = _groups(key.private_bytes_raw())
    rows = [
        f"{start // _ROW + 1}:  " + "  ".join(groups[start : start + _ROW])
        for start in range(0, GROUPS, _ROW)
    ]
    return "\n".join([f"{HEADING} {public_of(key).key_id}", "", *rows, ""])


def read(typed: str) -> Ed25519PrivateKey:
    """Return the key of a recovery text: with or without heading and row numbers, in capitals or small; raise
    RecoveryInvalid, which names the first group that cannot be right."""
    body = "\n".join(line for line in typed.splitlines() if not line.lower().startswith(HEADING.lower()))
    plain = _ROW_LABEL.sub(" ", body).lower().translate(_MISREAD)
    words = re.split(r"[\s.,-]+", plain.strip())
    if len(words) == 1 and len(words[0]) == GROUP * GROUPS:
        words = [words[0][at : at + GROUP] for at in range(0, len(words[0]), GROUP)]
    for number, word in enumerate(words, 1):
        _check_group(number, word)
    if len(words) != GROUPS:
        raise RecoveryInvalid(f"there are {len(words)} groups, not {GROUPS}")
    seed = _seed([word[:DATA] for word in words[:DATA_GROUPS]])
    if _groups(seed) != words:
        raise RecoveryInvalid(
            f"every group fits by itself, but the last, which is reckoned from all, does not: "
            f"compare all {GROUPS} with the paper once more"
        )
    return Ed25519PrivateKey.from_private_bytes(seed)


def _check_group(number: int, word: str) -> None:
    strange = sorted({char for char in word if char not in ID_ALPHABET})
    if strange:
        raise RecoveryInvalid(f"group {number} holds {' '.join(strange)!r}, which stands in no such text")
    if len(word) != GROUP:
        raise RecoveryInvalid(f"group {number} has {len(word)} characters, not {GROUP}")
    if number <= GROUPS and word[DATA] != _check_of(number, word[:DATA]):
        raise RecoveryInvalid(f"group {number} of {GROUPS} has a typing error, or stands in a wrong place")


def _groups(seed: bytes) -> list[str]:
    number = int.from_bytes(seed) << (DATA_GROUPS * DATA * 5 - SEED_BYTES * 8)
    data = [_letters(number >> (DATA * 5 * place), DATA) for place in reversed(range(DATA_GROUPS))]
    whole = int.from_bytes(hashlib.sha256(b"archipel recovery" + seed).digest()[:3])
    data.append(_letters(whole, DATA))
    return [one + _check_of(place, one) for place, one in enumerate(data, 1)]


def _seed(data: list[str]) -> bytes:
    number = 0
    for char in "".join(data):
        number = number << 5 | ID_ALPHABET.index(char)
    return (number >> (DATA_GROUPS * DATA * 5 - SEED_BYTES * 8)).to_bytes(SEED_BYTES)


def _letters(number: int, count: int) -> str:
    return "".join(ID_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(count)))


def _check_of(number: int, data: str) -> str:
    """Return the check of a group's four characters: a weighted sum over GF(32), and the group's number."""
    check = number
    for weight, char in zip(_WEIGHTS, data, strict=True):
        check ^= _product(weight, ID_ALPHABET.index(char))
    return ID_ALPHABET[check]


def _product(one: int, other: int) -> int:
    result = 0
    while other:
        if other & 1:
            result ^= one
        one <<= 1
        if one & 32:
            one ^= _POLYNOMIAL
        other >>= 1
    return result
