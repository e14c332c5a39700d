"""Any value of any contract type, made from its annotations: all fields, not only those without a default."""

import dataclasses
import enum
import types
import typing
from typing import Any

import hypothesis.strategies as st

# Halves of surrogate pairs do not survive UTF-8; the envelope replaces them before they travel.
texts = st.text(st.characters(codec="utf-8"), max_size=8)
data = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def anything(shape: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of this annotation."""
    origin, inside = typing.get_origin(shape), typing.get_args(shape)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([anything(one) for one in inside])
    if origin in (tuple, list):
        if origin is tuple and inside[-1] is not Ellipsis:
            return st.tuples(*(anything(one) for one in inside))
        return st.lists(anything(inside[0]), max_size=3).map(origin)
    if origin is dict:
        return st.dictionaries(texts, anything(inside[1]), max_size=3)
    if dataclasses.is_dataclass(shape):
        hints = typing.get_type_hints(shape)
        fields = {field.name: anything(hints[field.name]) for field in dataclasses.fields(shape)}
        return st.builds(typing.cast(type, shape), **fields)
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return st.sampled_from(shape)
    scalars: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: st.integers(-(2**53), 2**53),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        type(None): st.none(),
        Any: data,
    }
    return scalars[shape]
