"""Sites of a rehearsal come from the seed alone, look like a fleet, and can be taken for nobody's real ones."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archipel_agent.rehearsal.fleet.plan import NODES_PER_PROCESS, shares, site
from archipel_agent.rehearsal.fleet.stage import nodes_of
from archipel_contract.names import NODE_ID, checked_node_name


def test_the_same_seed_makes_the_same_sites_and_another_seed_others() -> None:
    assert site(7, 12, 3) == site(7, 12, 3)
    assert site(7, 12, 3).nodes[0].node_id != site(8, 12, 3).nodes[0].node_id


def test_every_name_says_that_it_is_rehearsed() -> None:
    made = site(1, 12, 3)
    assert made.name == "rehearsed-012"
    assert [one.name for one in made.nodes] == ["rehearsed-012-a", "rehearsed-012-b", "rehearsed-012-c"]
    assert all(one.facts.serial.startswith("rehearsed") for one in made.nodes)


def test_no_two_of_1500_machines_share_id_address_or_hardware() -> None:
    nodes = [node for number in range(1, 501) for node in site(4, number, 3).nodes]
    for of in ("node_id", "address", "name"):
        assert len({getattr(one, of) for one in nodes}) == 1500
    assert len({(one.facts.serial, one.facts.nics[0].mac) for one in nodes}) == 1500
    assert all(NODE_ID.fullmatch(one.node_id) and checked_node_name(one.name) for one in nodes)


def test_a_fleet_has_several_kinds_of_machines_and_versions() -> None:
    made = [site(4, number, 1) for number in range(1, 101)]
    assert len({one.nodes[0].facts.model for one in made}) >= 3
    assert len({one.nodes[0].facts.architecture for one in made}) == 2
    assert len({one.k3s_version for one in made}) >= 3


@given(sites=st.integers(1, 2000), nodes=st.integers(1, 26))
@settings(max_examples=50)
def test_each_site_is_played_once_and_no_process_plays_more_than_a_hundred_nodes(
    sites: int, nodes: int
) -> None:
    parts = shares(sites, nodes)
    assert parts[0][0] == 1
    assert parts[-1][1] == sites
    assert all(before[1] + 1 == after[0] for before, after in pairwise(parts))
    assert all((last - first + 1) * nodes <= NODES_PER_PROCESS for first, last in parts)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("rehearsed-002", 3),
        ("rehearsed-002-b", 1),
        ("all", 6),
        ("rehearsed-003", 0),
        ("rehearsed-002-d", 0),
        ("rehearsed-2", 0),
        ("rehearsed-002-", 0),
        ("munich", 0),
        ("", 0),
    ],
)
def test_a_target_is_a_site_a_node_or_everything(name: str, count: int) -> None:
    assert len(nodes_of(name, 2, 3)) == count
