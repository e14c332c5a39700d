"""Ids are random and typed by their first letter; node names are those Kubernetes takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_contract import names

KINDS = [
    (names.new_node_id, names.NODE_ID),
    (names.new_site_id, names.SITE_ID),
    (names.new_job_id, names.JOB_ID),
]


@pytest.mark.parametrize(("make", "pattern"), KINDS)
@given(data=st.data())
def test_an_id_is_made_of_the_random_bytes_it_was_given(
    make: object, pattern: object, data: st.DataObject
) -> None:
    assert callable(make)
    bytes_ = data.draw(st.binary(min_size=names.ID_LENGTH, max_size=names.ID_LENGTH))
    made = make(lambda count: bytes_[:count])
    assert pattern.fullmatch(made)  # type: ignore[attr-defined]  # one of the compiled patterns above
    others = [other for _, other in KINDS if other is not pattern]
    assert not any(other.fullmatch(made) for other in others)


def test_every_sign_of_the_alphabet_is_equally_likely() -> None:
    counts: dict[str, int] = {}
    for byte in range(256):
        made = names.new_node_id(lambda count, byte=byte: bytes([byte]) * count)  # type: ignore[misc]  # mypy cannot infer a default here
        counts[made[2]] = counts.get(made[2], 0) + 1
    assert set(counts) == set(names.ID_ALPHABET)
    assert set(counts.values()) == {8}


@pytest.mark.parametrize("name", ["edge-07", "a", "7", "node.plant.example", "a" * 63])
def test_names_kubernetes_takes_are_left_alone(name: str) -> None:
    assert names.checked_node_name(name) == name


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("Edge_07", "edge-07"),
        ("-edge-", "edge"),
        ("edge 07 (Halle 3)", "edge-07-halle-3"),
        ("a" * 64, "a" * 63),
        ("a..b", "a.b"),
        ("", "node"),
        ("äöü", "node"),
        ("a\n", "a"),
    ],
)
def test_other_names_are_refused_with_a_proposal(name: str, proposal: str) -> None:
    with pytest.raises(names.NameInvalid) as caught:
        names.checked_node_name(name)
    assert repr(proposal) in str(caught.value)
    assert names.proposed_node_name(name) == proposal


@given(st.text(max_size=100))
def test_whatever_is_proposed_is_a_name_kubernetes_takes(text: str) -> None:
    assert names.checked_node_name(names.proposed_node_name(text))
