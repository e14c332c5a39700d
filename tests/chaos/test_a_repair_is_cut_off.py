"""Power may go, or the agent be killed, at any instant of a repair or of its way back: it ends as if nothing had happened.

A few instants of each with every run; all of them in the long one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from archipel_contract.jobs import JobState, Verb
from tests.chaos.crashes import CUT, KILLED, UP, Story, every_instant, prepared, request, undisturbed
from tests.chaos.node import Node

FEW = 5  # instants of each story with every run
STATE = "var/lib/rancher/k3s"
META = f"{STATE}/agent/containerd/io.containerd.metadata.v1.bolt/meta.db"
CACHE = f"{STATE}/agent/images/.cache.json"
UNPACKED = f"{STATE}/data/{'ab' * 32}"
NEW = "192.168.4.99"
MOVE = request(Verb.FIX, "first-fix", code="address-gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Story):
    """A job on a site to which something has happened."""

    happened: Callable[[Node], None]

    def begin(self) -> Node:
        """See Story."""
        node = Node(prepared((UP,)))
        self.happened(node)
        return node


def at(node: Node, address: str) -> None:
    """The first card has this address from now on."""
    facts = node.world.state.facts
    moved = replace(facts.nics[0], addresses=(f"{address}/24",))
    node.world.state.facts = replace(facts, nics=(moved, *facts.nics[1:]))


def another_address(node: Node) -> None:
    at(node, NEW)


def moved_there_and_back(node: Node) -> None:
    """The address changed, the site took it, and the one from before is there again."""
    (before,) = node.world.state.facts.nics[0].addresses
    at(node, NEW)
    assert node.do(MOVE).state is JobState.SUCCEEDED
    at(node, before.partition("/")[0])


def torn_programs(node: Node) -> None:
    node.disk.put(node.paths.at(f"{UNPACKED}/bin/k3s"), b"cut o")
    node.disk.put(node.paths.at(f"{UNPACKED}/bin/.sha256sums"), b"0" * 64 + b"  k3s\n")


def torn_containerd(node: Node) -> None:
    node.disk.put(node.paths.at(META), b"torn")
    node.disk.put(node.paths.at(CACHE), b'{"pause.tar":{}}')


ADDRESS = Repair(name="address", request=request(Verb.FIX, code="address-gone"), happened=another_address)
BACK = Repair(
    name="address back",
    request=request(Verb.FIX, code="address-gone", undo=True),
    happened=moved_there_and_back,
)
BUNDLE = Repair(name="programs", request=request(Verb.FIX, code="k3s-bundle-damaged"), happened=torn_programs)
CONTAINERD = Repair(
    name="containerd", request=request(Verb.FIX, code="containerd-state-damaged"), happened=torn_containerd
)
REPAIRS = (ADDRESS, BACK, BUNDLE, CONTAINERD)


def named(story: Story) -> str:
    return story.name.replace(" ", "-")


@pytest.mark.parametrize("kind", [CUT, KILLED])
@pytest.mark.parametrize("story", REPAIRS, ids=named)
def test_a_repair_crashed_at_some_instants_ends_as_if_nothing_had_happened(story: Repair, kind: str) -> None:
    tally = every_instant(story, kind, max(1, undisturbed(story).instants // FEW))
    assert tally.crashes >= FEW
    assert tally.wrong == []


@pytest.mark.prove
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [CUT, KILLED])
@pytest.mark.parametrize("story", REPAIRS, ids=named)
def test_a_repair_crashed_at_any_instant_ends_as_if_nothing_had_happened(story: Repair, kind: str) -> None:
    tally = every_instant(story, kind)
    print(f"{story.name}, {kind}: {tally.crashes} crashes")
    assert tally.crashes > 0
    assert tally.wrong == []


def test_an_address_is_taken_and_the_one_from_before_comes_back() -> None:
    node = ADDRESS.begin()
    first = node.store.site()
    assert first is not None
    assert node.do(MOVE).state is JobState.SUCCEEDED
    taken = node.store.site()
    assert taken is not None
    assert (taken.network.node_ip, taken.network.interface) == (NEW, first.network.interface)
    refused = node.do(replace(BACK.request, key="too early"))
    assert refused.changed_nothing and refused.finding is not None
    assert refused.finding.code == "address-before-absent"
    at(node, first.network.node_ip)
    assert node.do(BACK.request).state is JobState.SUCCEEDED
    assert node.store.site() == first
    again = node.do(replace(BACK.request, key="again"))
    assert again.changed_nothing and again.finding is not None
    assert again.finding.code == "nothing-to-take-back"


def test_with_containerds_state_goes_what_k3s_noted_as_imported() -> None:
    node = CONTAINERD.begin()
    assert node.do(CONTAINERD.request).state is JobState.SUCCEEDED
    assert node.disk.read(node.paths.at(CACHE)) == b""
    assert not node.disk.exists(node.paths.at(META))
    assert node.disk.read(node.paths.at(META.replace("containerd/io", "containerd.damaged-1/io"))) == b"torn"


def test_where_k3s_imports_every_archive_at_each_start_it_goes_on_to() -> None:
    node = CONTAINERD.begin()
    node.disk.remove(node.paths.at(CACHE))
    assert node.do(CONTAINERD.request).state is JobState.SUCCEEDED
    assert not node.disk.exists(node.paths.at(CACHE))
