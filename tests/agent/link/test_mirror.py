"""The state an idle site tells is the same turn after turn, and has what a fleet must know."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from archipel_agent.link import mirror
from archipel_agent.observe import World
from archipel_agent.turn import Turner
from archipel_contract.catalogue import finding
from archipel_contract.facts import DiskSpace, Nic, NodeUsage, Route
from archipel_contract.link.delta import difference, patched, state_hash
from archipel_contract.link.messages import LinkPlan, NodeState
from archipel_contract.status import Condition, Health, LinkStatus, Pod, Report, Truth
from archipel_contract.wire import from_data
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node
from tests.fakes.service import report

RECORDED = Path(__file__).parents[2] / "machines" / "reports"


def facts_with(**changed: Any) -> Report:
    """A report whose machine differs in these facts."""
    one = report()
    return replace(one, node=replace(one.node, facts=replace(one.node.facts, **changed)))


def test_the_state_reads_back_as_what_the_report_said() -> None:
    condition = Condition(type="ApiReady", status=Truth.TRUE, reason="Ready")
    full = finding("disk-full", ("a line",), path="/", free="40 MB", share="1 %")
    one = replace(report(), findings=(full,), node=replace(report().node, conditions=(condition,)))
    read = from_data(NodeState, mirror.state(one))
    assert (read.node_name, read.site_name, read.generation) == ("edge-07", "Halle 3", 0)
    assert read.health is Health.HEALTHY and read.k3s == one.node.k3s
    assert read.conditions == {"ApiReady": condition}
    assert set(read.findings) == {"disk-full"} and read.findings["disk-full"].evidence == ()
    assert read.nodes == {"edge-07": one.cluster.nodes[0]}
    assert read.pods["kube-system/coredns-0"] == one.cluster.pods[0]
    assert read.clock == "synchronized" and read.cluster_reachable and read.cluster_ready


def test_a_state_holds_no_null_so_that_a_patch_can_say_remove() -> None:
    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(nulls(one) for one in value.values())
        return any(nulls(one) for one in value) if isinstance(value, list) else value is None

    assert not nulls(mirror.state(report()))


@pytest.mark.parametrize(
    "other",
    [
        replace(report(), at="2030-01-01T00:00:00Z", sentence="other"),
        replace(report(), link=LinkStatus(waiting=7)),
        replace(report(), node=replace(report().node, usage=NodeUsage(cpu_percent=99.0))),
    ],
    ids=["time and sentence", "link", "usage"],
)
def test_what_is_measured_anew_in_every_turn_is_no_part_of_the_state(other: Report) -> None:
    assert mirror.state(other) == mirror.state(report())


def test_free_space_is_left_out_but_the_disk_is_told() -> None:
    def disk(free: int) -> Report:
        return facts_with(disks=(DiskSpace(path="/", kind="sd", size_bytes=32 << 30, free_bytes=free),))

    assert mirror.state(disk(1)) == mirror.state(disk(10**10))
    assert mirror.state(disk(1))["facts"]["disks"] == [{"path": "/", "kind": "sd", "size_bytes": 32 << 30}]


def test_interfaces_and_routes_that_come_and_go_with_pods_are_left_out() -> None:
    real = Nic(name="eth0", mac="02:00:00:00:00:01", up=True)
    made = Nic(name="veth1234", mac="02:00:00:00:00:02", up=True, virtual=True)
    cni = Route(destination="10.42.0.0/24", interface="veth1234")
    plain = facts_with(nics=(real,), routes=(Route(destination="0.0.0.0/0", interface="eth0"),))
    busy = facts_with(nics=(real, made), routes=(*plain.node.facts.routes, cni))
    assert mirror.state(busy) == mirror.state(plain)
    assert mirror.fingerprint(busy.node.facts) == mirror.fingerprint(plain.node.facts)


def test_figures_in_a_finding_are_rounded_so_that_a_filling_disk_is_not_told_by_the_megabyte() -> None:
    def low(free: str, share: str) -> dict[str, Any]:
        one = finding("disk-low", path="/", free=free, share=share)
        return mirror.state(replace(report(), findings=(one,)))

    assert low("1.4 GB", "12 %") == low("1.1 GB", "14 %") != low("850 MB", "9 %")
    told = low("1.4 GB", "12 %")["findings"]["disk-low"]
    assert told["params"]["free"] == "1 GB" and "1 GB" in told["summary"] + told["next_step"]


def test_the_time_in_a_finding_about_the_clock_is_told_by_the_day() -> None:
    one = finding("clock-unsynchronised", now="2026-11-22 10:42 UTC", floor="2026-01-01")
    told = mirror.state(replace(report(), findings=(one,)))["findings"]["clock-unsynchronised"]
    assert told["params"]["now"] == "2026-11-22"


def test_figures_that_are_no_measurement_are_kept_exactly() -> None:
    one = finding("disk-too-small", path="/", free="1.4 GB", share="12 %", need="3.7 GB")
    told = mirror.state(replace(report(), findings=(one,)))["findings"]["disk-too-small"]
    assert told["params"]["need"] == "3.7 GB"


def test_findings_with_one_code_are_numbered() -> None:
    twice = tuple(finding("node-missing", name=name) for name in ("a", "b", "c"))
    told = mirror.state(replace(report(), findings=twice))["findings"]
    assert list(told) == ["node-missing", "node-missing#2", "node-missing#3"]


def with_pods(ready: int, troubled: int) -> Report:
    """A report of a cluster with so many pods."""
    pods = [
        Pod(namespace="shop", name=f"p{n}", phase="Running", ready=n < ready) for n in range(ready + troubled)
    ]
    return replace(report(), cluster=replace(report().cluster, pods=tuple(pods)))


def test_every_pod_of_a_cluster_of_usual_size_is_told() -> None:
    told = mirror.state(with_pods(mirror.PODS_SHOWN - 5, 5))
    assert len(told["pods"]) == mirror.PODS_SHOWN and "cluster_message" not in told


def test_of_a_large_cluster_only_the_pods_in_trouble_and_the_counts_are_told() -> None:
    told = mirror.state(with_pods(1000, 3))
    assert set(told["pods"]) == {"shop/p1000", "shop/p1001", "shop/p1002"}
    assert told["cluster_message"] == "1000 of 1003 pods ready"


def test_even_a_large_cluster_with_everything_in_trouble_stays_a_message_of_bounded_size() -> None:
    long = replace(with_pods(0, 2000), findings=())
    pods = tuple(replace(pod, message="x" * 5000) for pod in long.cluster.pods)
    told = mirror.state(replace(long, cluster=replace(long.cluster, pods=pods)))
    assert len(told["pods"]) == mirror.PODS_SHOWN
    assert max(len(pod["message"]) for pod in told["pods"].values()) == mirror.MESSAGE_LENGTH


def a_site_that_is_up() -> tuple[Turner, Node]:
    """A turner on a rehearsed machine whose k3s has been up for a while."""
    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    turner = Turner(node.ports, World(paths=node.paths, store=node.store), "n-0123456789abcdef")
    turner.turn()
    return turner, node


def test_an_idle_site_tells_the_same_state_for_a_day() -> None:
    turner, node = a_site_that_is_up()
    first = turner.turn()
    assert first.health is Health.HEALTHY and first.cluster.pods
    later = first
    for _ in range(200):
        node.clock.advance(432.0)
        node.world.state.free_bytes -= 123_456
        node.world.state.temperature_c += 0.01
        later = turner.turn()
        assert mirror.state(later) == mirror.state(first)
    assert later.node.facts.disks != first.node.facts.disks  # there was something to leave out


def test_a_k3s_that_ends_is_told() -> None:
    turner, node = a_site_that_is_up()
    before = mirror.state(turner.turn())
    node.world.inject("crash-loop")
    node.clock.advance(120.0)
    assert mirror.state(turner.turn()) != before


@pytest.mark.parametrize("place", sorted(RECORDED.glob("idle-*.json")), ids=lambda place: place.stem)
def test_recorded_reports_of_an_idle_machine_are_one_state(place: Path) -> None:
    reports = [from_data(Report, one) for one in json.loads(place.read_text())]
    assert len({one.at for one in reports}) == len(reports) > 1
    assert len({state_hash(mirror.state(one)) for one in reports}) == 1


def test_hello_says_who_speaks() -> None:
    said = mirror.hello(
        report(),
        connection=3,
        epochs={"1": 99},
        waiting={"1": 4},
        plan=LinkPlan(every=60),
        state_hash="abc",
        incarnation="i1",
    )
    assert (said.site_id, said.site_name, said.node_name) == ("s-7k2m9qxf04hvd1et", "Halle 3", "edge-07")
    assert (said.connection, said.epochs, said.waiting) == (3, {"1": 99}, {"1": 4})
    assert (said.plan.every, said.state_hash, said.incarnation) == (60, "abc", "i1")
    assert said.agent_version == "0.1.0" and said.generation == 0 and not said.rehearsed


def test_a_machine_that_is_no_site_yet_says_hello_too() -> None:
    said = mirror.hello(
        replace(report(), site=None),
        connection=1,
        epochs={},
        waiting={},
        plan=LinkPlan(),
        state_hash="",
        incarnation="",
    )
    assert (said.site_id, said.generation) == ("", -1)


def test_two_machines_with_one_memory_card_differ_in_their_fingerprint() -> None:
    nic = Nic(name="eth0", mac="dc:a6:32:00:00:01")
    one = facts_with(serial="10000000abcd", model="Raspberry Pi 4", nics=(nic,)).node.facts
    assert mirror.fingerprint(one) == mirror.fingerprint(replace(one, hostname="other", kernel="7.0"))
    for other in (
        replace(one, serial="10000000abce"),
        replace(one, model="Raspberry Pi 5"),
        replace(one, nics=(replace(nic, mac="dc:a6:32:00:00:02"),)),
    ):
        assert mirror.fingerprint(other) != mirror.fingerprint(one)


def test_the_fingerprint_does_not_tell_the_serial_number() -> None:
    assert "10000000abcd" not in mirror.fingerprint(facts_with(serial="10000000abcd").node.facts)


CHANGES = st.fixed_dictionaries(
    {
        "health": st.sampled_from(tuple(Health)),
        "findings": st.lists(
            st.sampled_from(("disk-low", "node-missing", "heat")).map(
                lambda code: finding(code, name="n", path="/", free="2 GB", share="9 %", temperature="81 C")
            ),
            max_size=3,
        ).map(tuple),
        "job": st.sampled_from(("", "j-1")),
    }
)


@settings(max_examples=40)
@given(CHANGES, CHANGES)
def test_a_delta_between_any_two_states_leads_from_one_to_the_other(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    old, new = mirror.state(replace(report(), **first)), mirror.state(replace(report(), **second))
    assert state_hash(patched(old, difference(old, new))) == state_hash(new)


@pytest.mark.parametrize(
    ("offset_ms", "seconds"),
    [(None, None), (0, 0), (59_000, 0), (-59_000, 0), (61_000, 0), (-700_000, -600), (7_300_000, 7200)],
)
def test_a_clock_that_drifts_is_told_so_coarsely_that_it_is_not_news_every_hour(
    offset_ms: int | None, seconds: int | None
) -> None:
    one = replace(report(), node=replace(report().node, clock_offset_ms=offset_ms))
    assert from_data(NodeState, mirror.state(one)).clock_ahead_seconds == seconds


def test_until_when_the_certificates_of_k3s_hold_is_part_of_the_state() -> None:
    one = replace(report(), node=replace(report().node, certificates_until="2027-11-22T13:14:17Z"))
    assert from_data(NodeState, mirror.state(one)).certificates_until == "2027-11-22T13:14:17Z"
