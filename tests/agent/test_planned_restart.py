"""k3s is restarted once, in its window, before its certificates end; by a sure clock only, whatever is cut off or jumps."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from archipel_agent.k3s.certificates import first_to_end, validity
from archipel_agent.k3s.restarts import Window, own_minute
from archipel_agent.link import diary
from archipel_agent.observe import World
from archipel_agent.rehearsal import certificates as simulated
from archipel_agent.turn import Turner
from archipel_contract.jobs import JobRequest, JobState, Verb
from archipel_contract.link.messages import EventKind
from archipel_contract.status import Health, Report, Truth
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node

NIGHT = Window(2 * 60, 120)
DAY = 86_400.0
STEP = 60.0  # seconds between two turns here
SERVING = "server/tls/serving-kube-apiserver.crt"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC here, so that nights are the same everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@dataclass
class Site:
    """A site in virtual time, its agent taking turns."""

    node: Node
    turner: Turner

    def restarted(self, span: Window | None = NIGHT) -> None:
        """A new agent takes over."""
        self.turner = turner(self.node, span)

    def until(self) -> datetime:
        """When the first certificate ends."""
        return validity(self.node.disk.read(self.node.paths.k3s_data / SERVING))[1]

    def before_its_minute(self) -> None:
        """Let time pass to just before this node's minutes."""
        clock = self.node.clock
        at = own_minute(NIGHT, node_id(self.node), ())
        now = clock.now()
        ahead = now.replace(hour=at // 60, minute=at % 60, second=0) - now - timedelta(minutes=2)
        clock.advance(ahead.total_seconds() % DAY)

    def night(self) -> list[Report]:
        """Take turns over this node's minutes and return those reports in which something was done."""
        self.before_its_minute()
        self.turner.turn()
        did = []
        for _ in range(12):
            self.node.clock.advance(STEP)
            report = self.turner.turn()
            did += [report] if report.did else []
        return did


def turner(node: Node, span: Window | None = NIGHT) -> Turner:
    """An agent's turns on this node."""
    own = node_id(node)
    world = World(paths=node.paths, store=node.store, node_id=own, restart_window=span)
    return Turner(node.ports, world, own)


def node_id(node: Node) -> str:
    """What the node is called in its site document."""
    own = node.store.value("node_id")
    assert own is not None
    return own


def site(left_days: float, span: Window | None = NIGHT) -> Site:
    """A site whose certificates have so many days left."""
    node = Node(prepared((UP,)))
    node.clock.advance((365 - left_days) * DAY)
    made = Site(node, turner(node, span))
    made.turner.turn()
    return made


def test_k3s_is_restarted_once_and_the_certificates_are_new() -> None:
    one = site(left_days=100)
    before = one.until()
    did = one.night()
    assert [report.did for report in did] == [(f"restarted k3s: its certificates end on {before:%Y-%m-%d}",)]
    assert did[0].sentence.startswith("restarted k3s")
    assert one.until() > before + timedelta(days=200)
    assert one.night() == []
    assert one.turner.turn(close=True).node.certificates_until == f"{one.until():%Y-%m-%dT%H:%M:%SZ}"


def test_it_is_told_to_the_fleet_as_an_event() -> None:
    one = site(left_days=100)
    (report,) = one.night()
    told = [event for event in diary.events(report, report) if event.kind is EventKind.NOTE]
    assert [(event.subject, event.text) for event in told] == [("agent", report.did[0])]


def test_with_more_than_120_days_left_nothing_happens() -> None:
    assert site(left_days=122).night() == []


def test_without_a_window_it_never_happens_by_itself_and_a_finding_says_so() -> None:
    one = site(left_days=60, span=None)
    assert one.night() == []
    assert "k3s-certificates-unplanned" in {found.code for found in one.turner.turn(close=True).findings}


def test_the_day_before_the_window_nothing_happens_and_a_hint_says_when() -> None:
    one = site(left_days=60)
    one.node.clock.advance((12 * 3600.0 - one.node.clock.now().hour * 3600) % DAY)
    for _ in range(30):
        one.node.clock.advance(STEP)
        assert one.turner.turn().did == ()
    (hint,) = [
        found for found in one.turner.turn(close=True).findings if found.code.startswith("k3s-certificates")
    ]
    at = own_minute(NIGHT, node_id(one.node), ())
    assert (hint.code, hint.params["at"]) == ("k3s-certificates-ending", f"{at // 60:02}:{at % 60:02}")


def test_a_clock_nobody_stands_behind_restarts_nothing() -> None:
    one = site(left_days=100)
    one.node.world.state.synchronized = False
    assert one.night() == []
    condition = {seen.type: seen for seen in one.turner.turn(close=True).node.conditions}["CertificatesValid"]
    assert (condition.status, condition.reason) == (Truth.UNKNOWN, "ClockUnsure")


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_jumps_ten_years_restarts_nothing_and_all_is_well_once_it_is_right(years: int) -> None:
    one = site(left_days=300)
    right = one.node.clock.now()
    one.node.world.state.synchronized = False
    one.node.clock.jump(right + timedelta(days=365 * years))
    assert one.night() == []
    one.node.clock.jump(right + timedelta(hours=2))
    one.node.world.state.synchronized = True
    report = one.turner.turn(close=True)
    assert report.health is Health.HEALTHY
    assert [seen.status for seen in report.node.conditions if seen.type == "CertificatesValid"] == [
        Truth.TRUE
    ]


def test_a_renewal_that_did_not_help_is_not_repeated_and_a_finding_says_so() -> None:
    one = site(left_days=60)
    stubborn = one.node.disk.read(one.node.paths.k3s_data / SERVING)
    assert len(one.night()) == 1
    one.node.disk.write(one.node.paths.k3s_data / SERVING, stubborn)  # k3s kept the old one
    one.restarted()
    one.turner.turn()
    for _ in range(3):
        assert one.night() == []
    codes = {found.code for found in one.turner.turn(close=True).findings}
    assert "k3s-certificates-not-renewed" in codes


def test_a_power_cut_in_the_middle_of_it_neither_forgets_nor_repeats_it() -> None:
    one = site(left_days=100)
    one.before_its_minute()
    one.node.clock.advance(3 * STEP)
    first = first_to_end(one.turner.look_closely().certificates or ())
    assert first is not None
    one.node.come_back()  # the power goes; k3s starts with the machine and renews by itself
    one.node.clock.advance(120.0)
    one.restarted()
    one.turner.turn()
    assert one.until() > first.ends
    assert one.night() == []


def test_ended_certificates_are_a_problem_and_the_repair_makes_new_ones() -> None:
    one = site(left_days=-35, span=None)
    report = one.turner.turn(close=True)
    (problem,) = [found for found in report.findings if found.code == "k3s-certificates-ended"]
    assert problem.fix is not None
    assert report.health is Health.UNHEALTHY
    job = one.node.do(JobRequest(verb=Verb.FIX, options={"code": problem.code}, key="fix"))
    assert job.state is JobState.SUCCEEDED, job
    assert one.until() > one.node.clock.now() + timedelta(days=364)
    one.node.clock.advance(120.0)
    assert one.turner.turn(close=True).health is Health.HEALTHY


def test_certificates_from_the_future_are_a_problem_that_a_restart_keeps_and_the_repair_solves() -> None:
    one = site(left_days=300)
    now = one.node.clock.now()
    ahead = simulated.certificate(now + timedelta(days=3650), now + timedelta(days=4015))
    for name in simulated.FILES:
        one.node.disk.write(one.node.paths.k3s_data / name, ahead)
    one.node.ports.k3s.stop()
    one.node.ports.k3s.start()
    one.node.clock.advance(120.0)
    assert "k3s-certificates-early" in {found.code for found in one.turner.turn(close=True).findings}
    job = one.node.do(JobRequest(verb=Verb.FIX, options={"code": "k3s-certificates-early"}, key="fix"))
    assert job.state is JobState.SUCCEEDED, job
    assert one.until() < one.node.clock.now() + timedelta(days=366)
