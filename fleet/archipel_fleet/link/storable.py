"""What no database takes although JSON does: NUL, halves of surrogate pairs, infinities, numbers beyond 64 bit, nesting.

Called by `check` with every message's exact bytes. Looks at the bytes first, which costs next to nothing, and walks
through the values only where the bytes could mean one of these.
"""

import math
import re
from typing import Any

DEPTH_LIMIT = 40  # of objects and lists in one another; a state has six
ENDS_LIMIT = 250  # with fewer ends of objects and lists nothing is nested so deep that any part of the program would care
INTEGER_LIMIT = 1 << 63
_ESCAPES = (b"\\u0000", b"\\ud", b"\\uD")
# All digits to 0 and the letter of exponents to e, so that one search finds any long number and any large exponent.
_SHAPES = bytes(
    ord("0") if chr(code).isdigit() and code < 128 else ord("e") if code in b"eE" else ord(" ")
    for code in range(256)
)
_LONG = b"0" * 19
_LARGE = b"0e000"
_EXPONENT = re.compile(
    rb"[:,\[\s]-?[0-9.]+[eE]\+?[0-9]{3}"
)  # hashes look like large exponents, but stand in quotes


class NotStorable(ValueError):
    """A value cannot be stored; the message says which kind and where."""


def check(payload: bytes, values: dict[str, Any]) -> None:
    """Raise NotStorable if `values`, which were read from `payload`, hold something that no database takes."""
    if _suspicious(payload):
        _walk(values)


def _suspicious(payload: bytes) -> bool:
    if payload.count(b"}") + payload.count(b"]") >= ENDS_LIMIT:
        return True
    if b"\\u" in payload and any(escape in payload for escape in _ESCAPES):
        return True
    shapes = payload.translate(_SHAPES, b"+")
    return _LONG in shapes or (_LARGE in shapes and _EXPONENT.search(payload) is not None)


def _walk(values: dict[str, Any]) -> None:
    waiting: list[tuple[Any, int]] = [(values, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEPTH_LIMIT:
            raise NotStorable(f"it is nested deeper than {DEPTH_LIMIT} levels")
        if isinstance(value, dict):
            waiting += [(one, depth + 1) for one in value.values()]
            for key in value:
                _check_text(key)
        elif isinstance(value, list):
            waiting += [(one, depth + 1) for one in value]
        else:
            _check_scalar(value)


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotStorable(f"{value} is no number that can be stored")
    elif isinstance(value, int) and not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
        raise NotStorable("it holds a number of more than 64 bit")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise NotStorable("it holds a NUL in a text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotStorable("it holds half of a surrogate pair in a text") from None
