"""What an idle turn reads anew and what it takes from the turns before, on a rehearsed machine in virtual time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.observe import World
from archipel_agent.paths import Paths
from archipel_agent.ports import KubeApi, KubeReply, KubeWatch, Machine, Ports
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.turn import LASTING_SECONDS, REST_SECONDS, Turner
from archipel_contract.facts import NodeFacts
from archipel_contract.status import Health, LinkState, LinkStatus
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node
from tests.fakes.clock import VirtualClock


class CountedMachine:
    """A machine that counts how often it is asked what it is; all else is the inner one's."""

    def __init__(self, inner: Machine) -> None:
        self._inner = inner
        self.asked = 0
        self.cable = 0

    def facts(self) -> NodeFacts:
        """See ports.Machine."""
        self.asked += 1
        return self._inner.facts()

    def pulse(self) -> object:
        """See ports.Machine."""
        return (self._inner.pulse(), self.cable)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def settled(root: Path) -> tuple[Turner, CountedMachine, VirtualClock]:
    """A turner that has looked once, so that its next turns are idle ones."""
    clock = VirtualClock()
    paths = Paths(root)
    plain: Ports = rehearse(paths, Scenario(pace=0.1), clock).ports
    machine = CountedMachine(plain.machine)
    turner = Turner(replace(plain, machine=machine), World(paths=paths, store=None), "n-0123456789abcdef")
    for _ in range(2):
        turner.turn()
        clock.advance(1.0)
    machine.asked = 0
    return turner, machine, clock


def test_what_the_machine_is_is_read_once_a_minute_and_not_in_every_turn(tmp_path: Path) -> None:
    turner, machine, clock = settled(tmp_path)
    for _ in range(60):
        turner.turn()
        clock.advance(10.0)
    assert machine.asked in range(int(600 / LASTING_SECONDS) - 1, int(600 / LASTING_SECONDS) + 2)


def test_a_cable_that_is_pulled_has_the_machine_read_at_once(tmp_path: Path) -> None:
    turner, machine, _ = settled(tmp_path)
    turner.turn()
    assert machine.asked == 0
    machine.cable = 1
    turner.turn()
    assert machine.asked == 1


def test_while_somebody_watches_every_turn_reads_it(tmp_path: Path) -> None:
    turner, machine, clock = settled(tmp_path)
    for _ in range(3):
        turner.turn(watched=True)
        clock.advance(2.0)
    assert machine.asked == 3


def test_a_turn_asked_to_look_closely_reads_it(tmp_path: Path) -> None:
    turner, machine, _ = settled(tmp_path)
    turner.turn(close=True)
    assert machine.asked == 1


def test_while_a_job_runs_and_once_after_it_everything_is_read(tmp_path: Path) -> None:
    turner, machine, clock = settled(tmp_path)
    for job in ("j-1", "j-1", "", ""):
        turner.turn(job=job)
        clock.advance(2.0)
    assert machine.asked == 3


class CountedKubeApi:
    """An API that notes what it is asked; all else is the inner one's."""

    def __init__(self, inner: KubeApi) -> None:
        self._inner = inner
        self.asked: list[str] = []

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """See ports.KubeApi."""
        self.asked.append(path)
        return self._inner.request(method, path, body, content_type)

    def watch(self, path: str) -> KubeWatch:
        """See ports.KubeApi."""
        return self._inner.watch(path)

    def close(self) -> None:
        """See ports.KubeApi."""
        self._inner.close()


def test_idle_turns_of_a_site_list_nothing_and_still_see_a_k3s_that_ends() -> None:
    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    kube = CountedKubeApi(node.ports.kube)
    turner = Turner(
        replace(node.ports, kube=kube), World(paths=node.paths, store=node.store), "n-0123456789abcdef"
    )
    assert turner.turn().health is Health.HEALTHY
    kube.asked.clear()
    for _ in range(30):
        node.clock.advance(10.0)
        assert turner.turn().health is Health.HEALTHY
    assert set(kube.asked) == {"/readyz"} and len(kube.asked) == 10
    node.ports.k3s.stop()
    assert not turner.turn().cluster.reachable
    node.ports.k3s.start()
    node.clock.advance(60.0)
    assert turner.turn().health is Health.HEALTHY


class QuietWatch:
    """A watch of which the test says whether anything came; all else is the inner one's."""

    def __init__(self, inner: KubeWatch, kube: "QuietKubeApi") -> None:
        self._inner = inner
        self._kube = kube

    def arrived(self) -> tuple[bytes, ...] | None:
        """See ports.KubeWatch."""
        return self._inner.arrived()

    def is_quiet(self) -> bool:
        """See ports.KubeWatch."""
        return self._kube.is_quiet

    def close(self) -> None:
        """See ports.KubeWatch."""
        self._inner.close()


class QuietKubeApi(CountedKubeApi):
    """An API whose watches are as quiet as the test says."""

    is_quiet = True

    def watch(self, path: str) -> KubeWatch:
        """See ports.KubeApi."""
        return QuietWatch(super().watch(path), self)


@dataclass
class Resting:
    """A healthy site that has just taken a turn, and what may move around it."""

    node: Node
    turner: Turner
    kube: QuietKubeApi
    machine: CountedMachine
    links: list[LinkStatus]


def resting() -> Resting:
    """A healthy site that has just taken a turn."""
    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    kube, machine = QuietKubeApi(node.ports.kube), CountedMachine(node.ports.machine)
    links = [LinkStatus()]
    ports = replace(node.ports, kube=kube, machine=machine)
    world = World(paths=node.paths, store=node.store, link=lambda: links[-1])
    turner = Turner(ports, world, "n-0123456789abcdef")
    for _ in range(2):
        assert turner.turn().health is Health.HEALTHY
    return Resting(node, turner, kube, machine, links)


def test_a_healthy_site_in_which_nothing_moves_is_left_alone_for_a_minute() -> None:
    site = resting()
    rested = []
    for _ in range(int(REST_SECONDS / 10) + 1):
        rested.append(site.turner.is_still())
        site.node.clock.advance(10.0)
    assert rested == [True] * int(REST_SECONDS / 10) + [False]


def test_nobody_rests_longer_than_a_point_of_samples_takes() -> None:
    site = resting()
    site.node.clock.advance(4.0)
    assert site.turner.is_still(5.0)
    site.node.clock.advance(1.0)
    assert not site.turner.is_still(5.0) and site.turner.is_still(300.0)


def _k3s_ends(site: Resting) -> None:
    site.node.ports.k3s.stop()


def _api_tells(site: Resting) -> None:
    site.kube.is_quiet = False


def _cable_is_pulled(site: Resting) -> None:
    site.machine.cable = 1


def _link_changes(site: Resting) -> None:
    site.links.append(LinkStatus(state=LinkState.AWAY, code="link-broker-away"))


def _job_begins(site: Resting) -> None:
    site.turner.turn(job="j-1")


@pytest.mark.parametrize("moves", [_k3s_ends, _api_tells, _cable_is_pulled, _link_changes, _job_begins])
def test_whatever_moves_has_the_next_turn_taken(moves: Callable[[Resting], None]) -> None:
    site = resting()
    assert site.turner.is_still()
    moves(site)
    assert not site.turner.is_still()


def test_a_site_that_is_not_well_is_looked_at_in_every_turn() -> None:
    site = resting()
    site.node.ports.k3s.stop()
    site.turner.turn()
    assert not site.turner.is_still()


def test_before_there_is_a_site_every_turn_is_taken(tmp_path: Path) -> None:
    turner, _, _ = settled(tmp_path)
    assert not turner.is_still()
