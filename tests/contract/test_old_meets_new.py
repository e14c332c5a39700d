"""Old meets new: what a released node sent is read for ever, and what a later one will send is read by today's programs.

`tests/machines/messages/<version>.json` holds a recording of every message type as that release put it on the wire.
"""

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archipel_contract.link import delta, topics
from archipel_contract.link.envelope import Envelope, EnvelopeInvalid, from_wire, payload, to_wire
from archipel_contract.link.messages import KINDS, NodeState
from archipel_contract.wire import from_data

RECORDED = Path(__file__).resolve().parents[1] / "machines/messages"


def recordings() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return (release, type, recording) of every message that was recorded."""
    for path in sorted(RECORDED.glob("*.json")):
        for name, one in json.loads(path.read_text()).items():
            yield path.stem, name, one


@pytest.mark.parametrize(("release", "name", "recording"), list(recordings()))
def test_what_a_release_sent_is_still_read_to_the_same_values(
    release: str, name: str, recording: dict[str, Any]
) -> None:
    _, envelope = from_wire(bytes.fromhex(recording["wire"]))
    assert envelope.type == name
    body = from_data(KINDS[name].body, envelope.body)
    assert delta.compact(body) == recording["body"]
    assert topics.parse(recording["topic"]).channel is KINDS[name].channel


def test_every_type_of_today_is_recorded() -> None:
    newest = max({release for release, _, _ in recordings()})
    assert {name for release, name, _ in recordings() if release == newest} == set(KINDS)


def shapes(shape: Any) -> Iterator[type[Any]]:
    """Return every dataclass that can be met inside `shape`."""
    for inner in typing.get_args(shape):
        yield from shapes(inner)
    if dataclasses.is_dataclass(shape) and isinstance(shape, type):
        yield shape
        for hint in typing.get_type_hints(shape).values():
            yield from shapes(hint)


def as_of_tomorrow(shape: Any) -> Any:
    """Return data of `shape` as a later release may send it: a field nobody knows in each object, new words in each enum."""
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return "a-word-of-tomorrow" if "UNKNOWN" in shape.__members__ else next(iter(shape)).value
    if dataclasses.is_dataclass(shape) and isinstance(shape, type):
        hints = typing.get_type_hints(shape)
        data = {field.name: as_of_tomorrow(hints[field.name]) for field in dataclasses.fields(shape)}
        return {**data, "field_of_tomorrow": {"nested": [1, None, "x"]}}
    origin, inner = typing.get_origin(shape), typing.get_args(shape)
    if origin in (typing.Union, types.UnionType):
        return as_of_tomorrow(next(one for one in inner if one is not type(None)))
    if origin is tuple:
        return [as_of_tomorrow(inner[0])] * (2 if inner[-1] is not Ellipsis else 1)
    if origin is dict:
        return {"x": as_of_tomorrow(inner[1])}
    return {str: "text", int: 7, float: 1.5, bool: True}.get(shape, {"any": 1})


@pytest.mark.parametrize("name", list(KINDS))
def test_what_a_later_release_adds_is_passed_over(name: str) -> None:
    body = as_of_tomorrow(KINDS[name].body)
    wire = to_wire(Envelope(type=name, at=1, body=body))
    _, envelope = from_wire(wire)
    read = from_data(KINDS[name].body, envelope.body)
    assert not hasattr(read, "field_of_tomorrow")
    assert isinstance(read, KINDS[name].body)


def test_a_later_state_is_read_with_unknown_words() -> None:
    state = from_data(NodeState, as_of_tomorrow(NodeState))
    assert state.health.value == "unknown"
    assert state.conditions["x"].status.value == "Unknown"
    assert state.findings["x"].severity.value == "unknown"
    assert state.k3s.state.value == "unknown"


def test_fields_added_to_the_envelope_are_passed_over_and_a_new_version_is_named() -> None:
    data = json.loads(payload(Envelope(type="event", at=1)))
    _, envelope = from_wire(b"A1 unsigned -\n" + json.dumps({**data, "z": [1]}).encode())
    assert envelope == Envelope(type="event", at=1)
    with pytest.raises(EnvelopeInvalid) as refused:
        from_wire(b"A1 unsigned -\n" + json.dumps({**data, "v": 2}).encode())
    assert refused.value.code == "message-newer"


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
def test_every_enum_on_the_wire_can_grow(kind: Any) -> None:
    reached: list[type[Any]] = [NodeState, *shapes(NodeState), *shapes(kind.body)]
    for shape in set(reached):
        for field, hint in typing.get_type_hints(shape).items():
            if isinstance(hint, type) and issubclass(hint, enum.Enum):
                grows = {"UNKNOWN"} & set(hint.__members__)
                assert grows, f"{shape.__name__}.{field} is a {hint.__name__} without a member UNKNOWN"
