"""State as a map, its hash, and the difference between two states (JSON merge patch, RFC 7396).

A node sends its whole state once, and from then on what changed since the state its fleet last acknowledged. Both ends
hash what they hold; where the hashes differ the fleet asks for the whole.
"""

import dataclasses
import enum
import hashlib
import json
from typing import Any

HASH_LENGTH = 16  # hexadecimal digits: 64 bits are enough to notice a difference nobody intended


class PatchInvalid(ValueError):
    """A patch is no JSON object."""


def compact(value: Any) -> Any:
    """Return a contract value as JSON data without nulls and without what has its default.

    Merge patches say "remove" by null, so a state must not hold any; leaving defaults out also makes messages small.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {}
        for field in dataclasses.fields(value):
            one = getattr(value, field.name)
            if one is not None and not _is_default(field, one):
                shown[field.name] = compact(one)
        return shown
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [compact(one) for one in value]
    if isinstance(value, dict):
        return {str(key): compact(one) for key, one in value.items() if one is not None}
    return value


def _is_default(field: "dataclasses.Field[Any]", value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(value == field.default)
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return False


def state_hash(state: dict[str, Any]) -> str:
    """Return the hash of a state: SHA-256 of its JSON with sorted keys, no spaces, UTF-8; the first 16 hex digits."""
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:HASH_LENGTH]


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch that makes `new` of `old`; empty when they are equal. Neither may hold nulls."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = difference(before, value)
            if inner:
                patch[key] = inner
        elif key not in old or _differs(before, value):
            patch[key] = value
    return patch


def _differs(before: Any, value: Any) -> bool:
    # To Python True equals 1 and 1 equals 1.0; to the hash they differ.
    return json.dumps(before, sort_keys=True) != json.dumps(value, sort_keys=True)


def patched(state: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Return `state` with `patch` applied; neither is changed. Raises PatchInvalid."""
    if not isinstance(patch, dict):
        raise PatchInvalid("a patch must be a JSON object")
    merged = dict(state)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            before = merged.get(key)
            merged[key] = patched(before if isinstance(before, dict) else {}, value)
        else:
            merged[key] = value
    return merged
