"""The servers of one rehearsed site see one cluster: a dead one becomes NotReady after the usual time, its pods move."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from archipel_agent.core import Core
from archipel_agent.rehearsal.cluster import GRACE_SECONDS, TOLERATION_SECONDS
from archipel_agent.rehearsal.fleet.plan import site
from archipel_agent.rehearsal.fleet.setup import Machine, set_up
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract.status import Health, Pod, Report
from tests.fakes.clock import VirtualClock


@dataclass(slots=True)
class Site:
    """Three machines in virtual time, each with its agent."""

    clock: VirtualClock
    machines: tuple[Machine, ...]
    cores: tuple[Core, ...]

    def see(self, seconds: float = 0.0, by: int = 0) -> Report:
        """What one of the agents reports after so long, during which all that run took their turns."""
        while seconds > 0:
            self.clock.advance(min(10.0, seconds))
            seconds -= 10.0
            self.cores[by].turn()
        return self.cores[by].turn()

    def switch_off(self, number: int) -> None:
        """Take the power from one machine."""
        world = self.machines[number].rehearsal.world
        world.settle()
        world.lose_power()


@pytest.fixture
def three(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    """A site of three servers."""
    clock = VirtualClock()
    machines = set_up(site(4, 1, 3), tmp_path, clock, 0.2)
    cores = []
    for one in machines:
        database = Database(one.paths.database)
        request.addfinalizer(database.close)
        cores.append(Core(one.rehearsal.ports, one.paths, Settings(), one.plan.node_id, Store(database)))
    return Site(clock, machines, tuple(cores))


def not_ready(report: Report) -> list[str]:
    return [node.name for node in report.cluster.nodes if not node.ready]


def pods_at(report: Report, which: Callable[[Pod], str]) -> dict[str, str]:
    return {pod.name.partition("-")[0]: which(pod) for pod in report.cluster.pods}


def test_every_agent_sees_all_nodes_and_pods_of_its_site_and_is_healthy(three: Site) -> None:
    reports = [three.see(by=number) for number in range(3)]
    for number, report in enumerate(reports):
        assert report.health is Health.HEALTHY
        assert report.rehearsed
        assert [node.name for node in report.cluster.nodes] == [f"rehearsed-001-{one}" for one in "abc"]
        assert report.node.node_name == f"rehearsed-001-{'abc'[number]}"
        assert {pod.node for pod in report.cluster.pods} == {f"rehearsed-001-{one}" for one in "abc"}
    assert len({report.site.site_id for report in reports if report.site}) == 1
    assert {len(report.site.nodes) for report in reports if report.site} == {3}
    assert len({report.node.node_id for report in reports}) == 3


def test_what_does_not_change_is_reported_the_same_turn_after_turn(three: Site) -> None:
    first, later = three.see(), three.see(997.5)
    assert later.cluster == first.cluster
    assert later.node.k3s == first.node.k3s


def test_a_dead_node_is_ready_for_the_others_until_its_grace_is_over(three: Site) -> None:
    three.see()
    three.switch_off(1)
    assert not_ready(three.see(GRACE_SECONDS - 5)) == []
    seen = three.see(10)
    assert not_ready(seen) == ["rehearsed-001-b"]
    assert seen.cluster.nodes[1].reason == "NodeStatusUnknown"
    assert seen.health is Health.UNHEALTHY


def test_the_pods_of_a_dead_node_move_after_five_minutes_and_leave_it_when_it_is_back(three: Site) -> None:
    three.see()
    three.switch_off(1)
    before = three.see(GRACE_SECONDS + TOLERATION_SECONDS - 20)
    assert pods_at(before, lambda pod: pod.node)["local"] == "rehearsed-001-b"
    three.see(40)
    after = three.see(60)
    local = [pod for pod in after.cluster.pods if pod.name.startswith("local-path")]
    assert sorted(pod.node for pod in local) == ["rehearsed-001-a", "rehearsed-001-b"]
    assert all(pod.ready for pod in local if pod.node == "rehearsed-001-a")
    three.machines[1].rehearsal.world.boot()
    back = three.see(120)
    assert not_ready(back) == []
    assert pods_at(back, lambda pod: pod.node)["local"] == "rehearsed-001-a"
    assert len(back.cluster.pods) == 3
    assert back.health is Health.HEALTHY


def test_pods_of_a_machine_that_comes_back_in_time_stay_there_and_count_a_restart(three: Site) -> None:
    three.see()
    three.switch_off(2)
    three.see(30)
    three.machines[2].rehearsal.world.boot()
    back = three.see(120)
    assert pods_at(back, lambda pod: pod.node)["metrics"] == "rehearsed-001-c"
    assert pods_at(back, lambda pod: str(pod.restarts)) == {"coredns": "0", "local": "0", "metrics": "1"}


def test_without_a_majority_of_its_servers_the_api_answers_no_lists(three: Site) -> None:
    three.see()
    three.switch_off(1)
    assert three.see(10).cluster.ready
    three.switch_off(2)
    seen = three.see(10)
    assert not seen.cluster.ready
    assert seen.health is Health.UNHEALTHY


def test_a_k3s_that_ends_over_and_over_is_a_finding_here_and_a_silent_node_there(three: Site) -> None:
    three.see()
    three.machines[0].rehearsal.world.inject("crash-loop")
    mine = three.see(120, by=0)
    others = three.see(10, by=2)
    assert "flannel-interface-missing" in {one.code for one in mine.findings}
    assert not_ready(others) == ["rehearsed-001-a"]
    three.machines[0].rehearsal.world.heal("crash-loop")
    assert three.see(200, by=0).health is Health.HEALTHY
