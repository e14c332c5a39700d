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
from collections.abc import Callable
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
    try:
        return typing.cast(T, _reader(typing.cast(Any, shape))(data))
    except _Misfit as misfit:
        name = shape.__name__ if isinstance(shape, type) else str(shape)
        raise WireError("; ".join(f"{name}{place}{what}" for place, what in misfit.problems)) from None


def request_from_json(shape: type[T], body: bytes | str) -> T:
    """Return the request in `body`; raise WireError also for a top-level field that `shape` does not have.

    A wish we do not understand must not be passed over in silence, be it a typing error or a newer client's. A test holds
    this to what `validate` accepts, which would cost the agent 10 MiB for its one kind of request.
    """
    value = from_json(shape, body)
    known = {field.name for field in dataclasses.fields(typing.cast(type, shape))}
    unknown = sorted(str(key) for key in json.loads(body) if key not in known)
    if unknown:
        raise WireError(
            f"{shape.__name__}.{unknown[0]}: there is no such field (known: {', '.join(sorted(known))})"
        )
    return value


# --- readers: one function for each type, made at its first use, since a controller reads thousands of messages a second ---

_Reader = Callable[[Any], Any]
_EXACT = (str, int, bool)  # values of exactly these types are taken without asking further


class _Misfit(Exception):
    """Data does not fit; each problem is its place, which grows on the way out, and what is wrong there."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__()
        self.problems = problems

    def at(self, place: str) -> "_Misfit":
        return _Misfit(*((place + inner, what) for inner, what in self.problems))


@functools.cache
def _reader(shape: Any) -> _Reader:
    if shape is Any or shape is object:
        return _as_it_is
    origin = typing.get_origin(shape)
    if origin is not None:
        return _generic_reader(origin, typing.get_args(shape))
    if dataclasses.is_dataclass(shape):
        return _dataclass_reader(typing.cast(type, shape))
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return _enum_reader(shape)
    return _scalar_reader(shape)


def _as_it_is(data: Any) -> Any:
    return data


def _generic_reader(origin: Any, arguments: tuple[Any, ...]) -> _Reader:
    if origin in (typing.Union, types.UnionType):
        readers = [_reader(choice) for choice in arguments if choice is not type(None)]
        return _union_reader(readers, type(None) in arguments)
    if origin in (tuple, list):
        return _list_reader(origin, _reader(arguments[0]))
    if origin is dict:
        return _dict_reader(_reader(arguments[1]))
    raise WireError(f"{origin} is not a type of the wire")


def _union_reader(readers: list[_Reader], optional: bool) -> _Reader:
    def read(data: Any) -> Any:
        if data is None and optional:
            return None
        problems: list[tuple[str, str]] = []
        for one in readers:
            try:
                return one(data)
            except _Misfit as misfit:
                problems += misfit.problems
        raise _Misfit(*problems)

    return read


def _list_reader(origin: Callable[[Any], Any], one: _Reader) -> _Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, list):
            raise _Misfit(("", ": expected a list"))
        found = []
        for item in data:
            try:
                found.append(one(item))
            except _Misfit as misfit:
                raise misfit.at(f"[{len(found)}]") from None
        return origin(found)

    return read


def _dict_reader(one: _Reader) -> _Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _Misfit(("", ": expected an object"))
        if one is _as_it_is:
            return dict(data)
        found = {}
        for key, item in data.items():
            try:
                found[key] = one(item)
            except _Misfit as misfit:
                raise misfit.at(f".{key}") from None
        return found

    return read


def _dataclass_reader(shape: type) -> _Reader:
    @functools.cache
    def fields() -> tuple[tuple[str, Any, _Reader, bool], ...]:
        hints = typing.get_type_hints(shape)
        return tuple(
            (
                field.name,
                hints[field.name] if hints[field.name] in _EXACT else None,
                _reader(hints[field.name]),
                field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            )
            for field in dataclasses.fields(shape)
        )

    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _Misfit(("", ": expected an object"))
        values = {}
        for name, exact, one, required in fields():
            if name in data:
                value = data[name]
                if type(value) is exact:
                    values[name] = value
                    continue
                try:
                    values[name] = one(value)
                except _Misfit as misfit:
                    raise misfit.at(f".{name}") from None
            elif required:
                raise _Misfit((f".{name}", ": missing"))
        return shape(**values)

    return read


def _enum_reader(shape: type[enum.Enum]) -> _Reader:
    known = {member.value: member for member in shape}
    # A newer program may know more values; each enum that may grow has a member UNKNOWN for them.
    unknown = shape.__members__.get("UNKNOWN")

    def read(data: Any) -> Any:
        if not isinstance(data, str | int) or isinstance(data, bool):
            raise _Misfit(("", f": expected one of {list(known)}"))
        found = known.get(data, unknown)
        if found is None:
            raise _Misfit(("", f": {data!r} is none of {list(known)}"))
        return found

    return read


def _scalar_reader(shape: Any) -> _Reader:
    def read(data: Any) -> Any:
        if shape is float and isinstance(data, int) and not isinstance(data, bool):
            try:
                return float(data)
            except OverflowError:
                raise _Misfit(("", ": too large a number")) from None
        if not isinstance(data, shape) or (shape is int and isinstance(data, bool)):
            raise _Misfit(("", f": expected {getattr(shape, '__name__', shape)}"))
        return data

    return read
