"""Foreign input becomes contract types here, and only here: requests, settings files, documents from elsewhere.

Strict where a person or a script wrote the input, so that a typing error is named instead of ignored. Imports pydantic
(about 10 MiB resident), which is why clients do not import this module, and the local API reads its one kind of request
with `wire.request_from_json`.
"""

import dataclasses
import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class InputInvalid(ValueError):
    """The input is not of the expected shape; the message lists each place and what is wrong there."""


# Making one takes milliseconds; the types are those of the contract, so there are never many.
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(shape: type[Any]) -> TypeAdapter[Any]:
    if shape not in _ADAPTERS:
        _ADAPTERS[shape] = TypeAdapter(shape)
    return _ADAPTERS[shape]


def from_json(shape: type[T], body: bytes | str) -> T:
    """Return the `shape` in `body`, whose values must have their JSON types; raise InputInvalid with every wrong place.

    Unknown keys of the top object are an error; those of nested objects are skipped, as documents grow there.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputInvalid(f"not JSON: {error}") from error
    try:
        value: T = _adapter(shape).validate_json(body, strict=True)
    except ValidationError as error:
        raise InputInvalid("; ".join([*_unknown(shape, data), _explained(error)])) from error
    return _without_unknown(shape, data, value)


def from_data(shape: type[T], data: Any) -> T:
    """Return the `shape` that `data` (as from `tomllib` or the environment) describes; raise InputInvalid.

    A text that reads as the wanted type is taken for it ("10" where a number belongs), as the environment has only texts.
    """
    try:
        value: T = _adapter(shape).validate_python(data)
    except ValidationError as error:
        raise InputInvalid("; ".join([*_unknown(shape, data), _explained(error)])) from error
    return _without_unknown(shape, data, value)


def _without_unknown(shape: type[Any], data: Any, value: T) -> T:
    unknown = _unknown(shape, data)
    if unknown:
        raise InputInvalid("; ".join(unknown))
    return value


def _unknown(shape: type[Any], data: Any) -> list[str]:
    """Return a sentence for each top-level key that `shape` does not have."""
    if not dataclasses.is_dataclass(shape) or not isinstance(data, dict):
        return []
    known = {field.name for field in dataclasses.fields(shape)}
    keys = sorted(str(key) for key in data if key not in known)
    return [f"{key}: there is no such field (known: {', '.join(sorted(known))})" for key in keys]


def _explained(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"]) or "input"
        problems.append(f"{place}: {problem['msg']}")
    return "; ".join(problems)
