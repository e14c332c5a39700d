"""The view follows its cluster by watches, and falls back to lists whenever a watch cannot be trusted."""

import json
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from archipel_agent.k3s.view import ASK_SECONDS, BEGIN_SECONDS, NODES, PODS, ClusterView, read
from archipel_agent.ports import KubeReply, KubeWatch
from archipel_contract.status import ClusterStatus
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node
from tests.fakes.clock import VirtualClock
from tests.fakes.kube import ScriptedKubeApi, node_item, pod_item


class Ground:
    """A view over a scripted API in virtual time."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.kube = ScriptedKubeApi()
        self.kube.put(NODES, node_item("edge", ready=True))
        self.kube.put(PODS, pod_item("shop", "till", ready=True))
        self.view = ClusterView(self.kube, self.clock)

    def turn(self, seconds: float = 10.0) -> ClusterStatus:
        """Look, after so much time; return what was seen."""
        self.clock.advance(seconds)
        return self.view.look()

    def cost(self, turns: int) -> list[str]:
        """What is asked of the API in so many turns."""
        self.kube.asked.clear()
        for _ in range(turns):
            self.turn()
        return self.kube.asked


def test_an_idle_cluster_is_listed_once_and_then_only_asked_whether_it_still_serves() -> None:
    ground = Ground()
    ground.turn()
    assert ground.cost(60) == ["/readyz"] * int(600 / ASK_SECONDS)


def test_what_the_watches_tell_is_what_the_lists_would_say() -> None:
    ground = Ground()
    ground.turn()
    ground.kube.put(PODS, pod_item("shop", "till", ready=False))
    ground.kube.put(PODS, pod_item("kitchen", "oven", ready=True))
    ground.kube.put(NODES, node_item("edge", ready=False))
    seen = ground.turn()
    assert [(pod.namespace, pod.ready) for pod in seen.pods] == [("kitchen", True), ("shop", False)]
    assert not seen.nodes[0].ready
    ground.kube.drop(PODS, "shop", "till")
    assert ground.turn() == read(ground.kube)[0]


def ended(kube: ScriptedKubeApi) -> None:
    kube.end_watches()


def gone(kube: ScriptedKubeApi) -> None:
    kube.tell({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}})


def rubbish(kube: ScriptedKubeApi) -> None:
    kube.tell_raw(b"{this is no JSON")


def foreign(kube: ScriptedKubeApi) -> None:
    kube.tell({"type": "MODIFIED", "object": {"metadata": {}}})


def unheard_of(kube: ScriptedKubeApi) -> None:
    kube.tell({"type": "REPLACED", "object": pod_item("shop", "till", ready=True)})


@pytest.mark.parametrize("trouble", [ended, gone, rubbish, foreign, unheard_of])
def test_a_watch_that_cannot_be_trusted_has_the_lists_read_in_the_same_turn(
    trouble: Callable[[ScriptedKubeApi], None],
) -> None:
    ground = Ground()
    ground.turn()
    ground.kube.silent = True  # the change itself is lost with the watch
    ground.kube.put(PODS, pod_item("shop", "till", ready=False))
    ground.kube.silent = False
    trouble(ground.kube)
    seen = ground.turn()
    assert not seen.pods[0].ready
    assert seen == read(ground.kube)[0]


def test_a_bookmark_changes_nothing() -> None:
    ground = Ground()
    before = ground.turn()
    ground.kube.tell({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}})
    ground.kube.asked.clear()
    assert ground.turn() == before
    assert ground.kube.asked == []


def test_an_api_that_goes_away_is_seen_in_the_next_turn_and_followed_again_when_it_is_back() -> None:
    ground = Ground()
    ground.turn()
    ground.turn(BEGIN_SECONDS)
    ground.kube.go_away()
    assert not ground.turn().reachable
    ground.kube.answers = True
    assert ground.turn().ready
    assert ground.cost(2) == []


def test_an_api_that_hangs_without_ending_its_watches_is_noticed_within_a_minute() -> None:
    ground = Ground()
    ground.turn()
    ground.kube.hangs = True
    seen = [ground.turn().reachable for _ in range(6)]
    assert seen[-1] is False


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_api_that_no_longer_serves_us_has_its_answer_shown_as_without_watches(status: int) -> None:
    ground = Ground()
    ground.turn()
    ground.kube.refuses = status
    seen = [ground.turn() for _ in range(4)][-1]
    assert seen == read(ground.kube)[0]
    assert str(status) in seen.message


def test_watches_that_are_refused_cost_an_attempt_a_minute_and_the_lists_go_on() -> None:
    ground = Ground()
    ground.kube.watchable = False
    ground.turn()
    asked = ground.cost(60)
    assert asked.count(f"{NODES}?resourceVersion=0") == 60
    assert sum("watch=1" in path for path in asked) == 2 * int(600 / BEGIN_SECONDS)


def test_a_list_without_a_version_is_not_watched_but_read_again() -> None:
    ground = Ground()
    ground.kube.versioned = False
    assert ground.turn().ready
    assert not any("watch=1" in path for path in ground.cost(20))


def test_a_view_that_forgets_ends_its_watches_and_begins_anew() -> None:
    ground = Ground()
    ground.turn()
    ground.view.forget()
    assert ground.kube.open_watches() == 0
    ground.turn(BEGIN_SECONDS)
    assert ground.kube.open_watches() == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("drop"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("end"), st.just(""), st.booleans()),
        st.tuples(st.just("gone"), st.just(""), st.booleans()),
        st.tuples(st.just("turn"), st.just(""), st.booleans()),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(STEPS)
def test_whatever_happens_a_turn_shows_what_the_lists_say(steps: list[tuple[str, str, bool]]) -> None:
    ground = Ground()
    ground.turn()
    for what, name, ready in steps:
        if what == "put":
            ground.kube.put(PODS, pod_item("shop", name, ready))
        elif what == "drop":
            ground.kube.drop(PODS, "shop", name)
        elif what == "end":
            ground.kube.end_watches()
        elif what == "gone":
            gone(ground.kube)
        else:
            assert ground.turn() == read(ground.kube)[0]
    assert ground.turn() == read(ground.kube)[0]


def test_a_rehearsed_site_seen_by_watches_is_the_site_its_lists_show_all_through_a_start() -> None:
    node = Node(prepared((UP,)))
    view = ClusterView(node.ports.kube, node.clock)

    def agrees() -> None:
        assert view.look() == read(node.ports.kube)[0]

    agrees()
    node.ports.k3s.stop()
    agrees()
    node.ports.k3s.start()
    for _ in range(120):
        node.clock.advance(0.5)
        agrees()
    assert view.look().ready and len(view.look().pods) == 3


def lists_of(watch: KubeWatch) -> Any:
    """What a watch has told, or None."""
    lines = watch.arrived()
    return None if lines is None else [json.loads(line) for line in lines]


def test_the_scripted_api_keeps_what_the_tests_count_on() -> None:
    kube = ScriptedKubeApi()
    kube.put(NODES, node_item("edge", ready=True))
    watch = kube.watch(f"{NODES}?watch=1&resourceVersion=1")
    assert lists_of(watch) == []
    kube.put(NODES, node_item("edge", ready=False))
    assert [one["type"] for one in lists_of(watch)] == ["MODIFIED"]
    assert isinstance(kube.request("GET", NODES), KubeReply)
    kube.end_watches()
    assert lists_of(watch) is None
