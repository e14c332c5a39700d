"""Dataclasses to JSON and back, for the side that reads what a trusted program of ours wrote.

Reading is tolerant the way invariant 11 asks: unknown fields are skipped and absent ones take their default, because
the two ends may be a year apart. Foreign input (requests, files, messages) goes through `validate` instead.
"""

import dataclasses
import enum
import functools
import json
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


class WireError(ValueError):
    """What was read is not of the expected shape; the message names the place as a dotted path."""


def to_data(value: Any) -> Any:
    """Return `value` (dataclasses, enums, tuples, dicts, scalars, nested) as what `json.dumps` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [to_data(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_data(item) for key, item in value.items()}
    return value


def to_json(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON, without a line end.

    What UTF-8 cannot hold (halves of surrogate pairs, from names of files that are no text) becomes `?`.
    """
    return json.dumps(to_data(value), separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def from_json(shape: type[T], body: bytes | str) -> T:
    """Return the `shape` that `body` holds; raise WireError when it is not JSON or lacks a required field."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from error
    return from_data(shape, data)


def from_data(shape: type[T], data: Any) -> T:
    """Return the `shape` that `data` (as from `json.loads`) describes; raise WireError with the place if it does not."""
    return typing.cast(T, _read(shape, data, shape.__name__ if isinstance(shape, type) else str(shape)))


def request_from_json(shape: type[T], body: bytes | str) -> T:
    """Return the request in `body`; raise WireError also for a top-level field that `shape` does not have.

    A wish we do not understand must not be passed over in silence, be it a typing error or a newer client's. A test holds
    this to what `validate` accepts, which would cost the agent 10 MiB for its one kind of request.
    """
    value = from_json(shape, body)
    known = {name for name, _, _ in _fields(typing.cast(type, shape))}
    unknown = sorted(str(key) for key in json.loads(body) if key not in known)
    if unknown:
        raise WireError(
            f"{shape.__name__}.{unknown[0]}: there is no such field (known: {', '.join(sorted(known))})"
        )
    return value


@functools.cache
def _fields(shape: type) -> tuple[tuple[str, Any, bool], ...]:
    hints = typing.get_type_hints(shape)
    return tuple(
        (
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(shape)
    )


def _read(shape: Any, data: Any, place: str) -> Any:
    if shape is Any or shape is object:
        return data
    origin = typing.get_origin(shape)
    if origin is not None:
        return _read_generic(origin, typing.get_args(shape), data, place)
    if dataclasses.is_dataclass(shape):
        return _read_dataclass(typing.cast(type, shape), data, place)
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return _read_enum(shape, data, place)
    return _read_scalar(shape, data, place)


def _read_generic(origin: Any, arguments: tuple[Any, ...], data: Any, place: str) -> Any:
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        choices = [choice for choice in arguments if choice is not type(None)]
        return _read_union(choices, data, place)
    if origin in (tuple, list):
        if not isinstance(data, list):
            raise WireError(f"{place}: expected a list")
        return origin(_read(arguments[0], item, f"{place}[{index}]") for index, item in enumerate(data))
    if origin is dict:
        if not isinstance(data, dict):
            raise WireError(f"{place}: expected an object")
        return {key: _read(arguments[1], item, f"{place}.{key}") for key, item in data.items()}
    raise WireError(f"{place}: {origin} is not a type of the wire")


def _read_union(choices: list[Any], data: Any, place: str) -> Any:
    problems = []
    for choice in choices:
        try:
            return _read(choice, data, place)
        except WireError as error:
            problems.append(str(error))
    raise WireError("; ".join(problems))


def _read_dataclass(shape: type, data: Any, place: str) -> Any:
    if not isinstance(data, dict):
        raise WireError(f"{place}: expected an object")
    values = {}
    for name, hint, required in _fields(shape):
        if name in data:
            values[name] = _read(hint, data[name], f"{place}.{name}")
        elif required:
            raise WireError(f"{place}.{name}: missing")
    return shape(**values)


def _read_enum(shape: type[enum.Enum], data: Any, place: str) -> enum.Enum:
    if not isinstance(data, str | int) or isinstance(data, bool):
        raise WireError(f"{place}: expected one of {[member.value for member in shape]}")
    try:
        return shape(data)
    except ValueError:
        # A newer program may know more values; each enum that may grow has a member UNKNOWN for them.
        unknown = shape.__members__.get("UNKNOWN")
        if unknown is None:
            raise WireError(f"{place}: {data!r} is none of {[member.value for member in shape]}") from None
        return unknown


def _read_scalar(shape: Any, data: Any, place: str) -> Any:
    if shape is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, shape) or (shape is int and isinstance(data, bool)):
        raise WireError(f"{place}: expected {getattr(shape, '__name__', shape)}")
    return data
