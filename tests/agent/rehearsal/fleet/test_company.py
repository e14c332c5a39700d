"""A process plays its sites: every agent takes its turns, and troubles come, show and go, in virtual time."""

from pathlib import Path

import pytest

from archipel_agent.rehearsal.fleet.acts import Act
from archipel_agent.rehearsal.fleet.orders import News, act_from, news_from, order_from, to_line
from archipel_agent.rehearsal.fleet.scenario import Special
from archipel_contract.facts import ClockQuality
from archipel_contract.status import Health
from tests.agent.rehearsal.fleet.troupe import Troupe

A, B = "rehearsed-001-a", "rehearsed-001-b"


def make(what: str, *where: str, to: str = "") -> Act:
    return Act(what=what, where=where, to=to)


def heal(what: str, *where: str) -> Act:
    return Act(what=what, where=where, heal=True)


def test_every_node_takes_its_turns_at_its_interval_and_not_all_at_once(tmp_path: Path) -> None:
    troupe = Troupe(tmp_path)
    company = troupe.company()
    times: dict[str, list[str]] = {name: [] for name in troupe.nodes}
    for _ in range(30):
        troupe.play(company, 1.0)
        for name, node in troupe.nodes.items():
            assert node.report is not None
            if node.report.at not in times[name]:
                times[name].append(node.report.at)
    assert {len(seen) for seen in times.values()} <= {3, 4}
    assert len({seen[1] for seen in times.values()}) > 2
    company.leave()


def test_what_has_changed_is_news_once(tmp_path: Path) -> None:
    troupe = Troupe(tmp_path)
    company = troupe.company()
    assert set(troupe.views) == set(troupe.nodes)
    assert company.news() == News(set_up=6)
    company.do(make("cut", A))
    changed = company.news().nodes
    assert list(changed) == [A]
    assert (changed[A].link, changed[A].troubles, changed[A].expected) == ("away", ("cut",), False)
    company.do(heal("cut", A))
    assert company.news().nodes[A].link == "connected"
    company.leave()


def test_a_power_cut_ends_agent_and_link_and_a_new_agent_comes_with_the_power(tmp_path: Path) -> None:
    troupe = Troupe(tmp_path)
    company = troupe.company()
    boot = troupe.machines[A].rehearsal.ports.machine.facts().boot_id
    links = len(troupe.links)
    company.do(make("power-cut", A))
    assert not troupe.nodes[A].is_on
    assert [link.stopped for link in troupe.links] == [True, *[False] * (links - 1)]
    troupe.play(company, 120)
    seen = troupe.nodes[B].report
    assert seen is not None
    assert [node.name for node in seen.cluster.nodes if not node.ready] == [A]
    company.do(heal("power-cut", A))
    troupe.play(company, 120)
    assert len(troupe.links) == links + 1
    report = troupe.nodes[A].report
    assert report is not None
    assert report.node.facts.boot_id != boot
    assert report.health is Health.HEALTHY
    company.leave()


def test_a_link_that_is_cut_stays_cut_when_the_power_comes_back(tmp_path: Path) -> None:
    troupe = Troupe(tmp_path, sites=1)
    company = troupe.company()
    company.do(make("cut", A))
    company.do(make("power-cut", A))
    company.do(heal("power-cut", A))
    assert company.news().nodes[A].link == "away"
    company.do(heal("cut", A))
    assert company.news().nodes[A].link == "connected"
    company.leave()


@pytest.mark.parametrize("to", ["-3y", "+20y", "1970"])
def test_a_wrong_clock_is_what_the_agent_reports_and_the_site_runs_on(tmp_path: Path, to: str) -> None:
    troupe = Troupe(tmp_path, sites=1)
    company = troupe.company()
    company.do(make("clock", A, to=to))
    troupe.play(company, 40)
    report, other = troupe.nodes[A].report, troupe.nodes[B].report
    assert report is not None
    assert other is not None
    assert report.node.clock is ClockQuality.WRONG
    assert report.at[:4] == {"-3y": "2023", "+20y": "2046", "1970": "1970"}[to]
    assert report.cluster == other.cluster
    company.do(heal("clock", A))
    troupe.play(company, 40)
    report = troupe.nodes[A].report
    assert report is not None
    assert report.node.clock is ClockQuality.SYNCHRONIZED
    company.leave()


def test_a_fault_of_one_machine_is_found_there_and_is_over_when_it_is_healed(tmp_path: Path) -> None:
    troupe = Troupe(tmp_path, sites=1)
    company = troupe.company()
    company.do(make("disk-full", B))
    troupe.play(company, 60)
    report = troupe.nodes[B].report
    assert report is not None
    assert "disk-full" in {one.code for one in report.findings}
    company.do(heal("disk-full", B))
    troupe.play(company, 240)
    report = troupe.nodes[B].report
    assert report is not None
    assert report.health is Health.HEALTHY
    company.leave()


def test_a_special_site_is_special_from_the_start(tmp_path: Path) -> None:
    special = Special(
        site="rehearsed-002", silent=True, clock="-3y", faults=("cable-out",), k3s="v1.34.9+k3s1"
    )
    troupe = Troupe(tmp_path, special=(special,))
    company = troupe.company()
    views = troupe.views
    assert {views[name].link for name in views if name.startswith("rehearsed-002")} == {"off"}
    assert not views["rehearsed-002-a"].expected
    report = troupe.nodes["rehearsed-002-a"].report
    assert report is not None
    assert report.node.clock is ClockQuality.WRONG
    assert "cable-out" in {one.code for one in report.findings}
    assert report.cluster.nodes[0].version == report.node.k3s.version == "v1.34.9+k3s1"
    company.leave()


def test_making_a_trouble_twice_or_healing_one_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    troupe = Troupe(tmp_path, sites=1)
    company = troupe.company()
    company.news()
    company.do(heal("power-cut", A))
    company.do(heal("disk-full", "rehearsed-099-a"))
    assert company.news().nodes == {}
    company.do(make("power-cut", A))
    company.do(make("power-cut", A))
    assert company.news().nodes[A].troubles == ("power-cut",)
    company.leave()


def test_orders_acts_and_news_come_through_a_line_as_they_were(tmp_path: Path) -> None:
    troupe = Troupe(tmp_path, special=(Special(site="rehearsed-001", faults=("disk-full",)),))
    company = troupe.company()
    news = News(set_up=6, nodes=troupe.views)
    company.leave()
    assert news_from(to_line(news)) == news
    assert news_from(to_line(News(failed="why"))).failed == "why"
    act = make("clock", A, B, to="+3y")
    assert act_from(to_line(act)) == act
    order = company._order
    assert order_from(to_line(order)) == order
