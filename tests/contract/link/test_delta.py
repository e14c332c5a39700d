"""States and their differences: a patch makes the new of the old, and both ends agree by a hash."""

import copy
import json
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.facts import NodeFacts
from archipel_contract.link.delta import HASH_LENGTH, PatchInvalid, compact, difference, patched, state_hash
from archipel_contract.link.messages import NodeState
from archipel_contract.site import Role
from archipel_contract.status import Health, Pod

# Few names, so that two states often have the same.
names = st.sampled_from(["a", "b", "c", "d/e", "ü"])
scalars = (
    st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "1"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)
states = st.dictionaries(names, values, max_size=5)


def same(one: Any, other: Any) -> bool:
    """Equal to a reader of JSON: to Python, True is 1 and 1 is 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@hypothesis.given(states, states)
def test_the_difference_makes_the_new_of_the_old_and_changes_neither(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    agrees(old, new)


@pytest.mark.prove
@hypothesis.settings(max_examples=5_000)
@hypothesis.given(states, states)
def test_a_great_many_differences_make_the_new_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    agrees(old, new)


def agrees(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = copy.deepcopy((old, new))
    made = patched(old, json.loads(json.dumps(difference(old, new))))
    assert same(made, new) and state_hash(made) == state_hash(new)
    assert same(before, (old, new))


@hypothesis.given(states, states)
def test_there_is_a_difference_exactly_when_the_hashes_differ(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert (difference(old, new) == {}) == (state_hash(old) == state_hash(new))
    assert difference(old, copy.deepcopy(old)) == {}


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (False, 0), (1, 1.0), (0.0, -0.0), ("1", 1), ([], {}), ({}, "")]
)
def test_what_is_equal_to_python_but_not_to_json_is_a_difference(one: Any, other: Any) -> None:
    assert same(patched({"a": one}, difference({"a": one}, {"a": other})), {"a": other})
    assert state_hash({"a": one}) != state_hash({"a": other})


def test_a_patch_names_only_what_changed() -> None:
    old = {"pods": {"a": {"ready": True, "restarts": 1}, "b": {"ready": True}}, "name": "x"}
    new = {"pods": {"a": {"ready": False, "restarts": 1}}, "name": "x"}
    assert difference(old, new) == {"pods": {"a": {"ready": False}, "b": None}}


@hypothesis.given(states, st.none() | st.lists(scalars) | scalars)
def test_what_is_no_patch_is_refused(state: dict[str, Any], patch: Any) -> None:
    with pytest.raises(PatchInvalid):
        patched(state, patch)


@hypothesis.given(states, st.dictionaries(names, st.none() | values, max_size=4))
def test_any_patch_leaves_a_state_without_nulls_and_the_old_one_alone(
    state: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = copy.deepcopy(state)
    made = patched(state, patch)
    assert "null" not in json.dumps(made) and same(state, before)


def test_the_hash_is_that_of_the_sorted_compact_json_and_never_changes() -> None:
    # Pinned: two releases that hashed differently would ask each other for the whole state for ever.
    assert state_hash({}) == "44136fa355b3678a"
    assert state_hash({"b": [1, 2.5, True], "a": "ü"}) == "385011c78a289ab8"
    assert state_hash({"a": "ü", "b": [1, 2.5, True]}) == "385011c78a289ab8"
    assert len(state_hash({})) == HASH_LENGTH


@hypothesis.given(states)
def test_a_state_has_the_same_hash_after_it_travelled(state: dict[str, Any]) -> None:
    assert state_hash(json.loads(json.dumps(state, ensure_ascii=False).encode())) == state_hash(state)


def test_compact_leaves_out_defaults_and_nulls_but_no_value_that_differs() -> None:
    state = NodeState(
        node_name="press-3",
        role=Role.SERVER,
        health=Health.HEALTHY,
        facts=NodeFacts(hostname="press-3", architecture="aarch64"),
        pods={"a/b": Pod(namespace="a", name="b", phase="Running", ready=False)},
    )
    shown = compact(state)
    assert shown == {
        "node_name": "press-3",
        "role": "server",
        "health": "healthy",
        "facts": {"hostname": "press-3", "architecture": "aarch64"},
        "pods": {"a/b": {"namespace": "a", "name": "b", "phase": "Running", "ready": False}},
    }
    assert compact({"kept": 0, "gone": None, 7: (1, None)}) == {"kept": 0, "7": [1, None]}
