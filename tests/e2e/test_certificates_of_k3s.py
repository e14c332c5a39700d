"""Certificates of a real k3s: seen, renewed by a planned restart, renewed at the start after a year off, repaired.

The year is in the files: the cluster's own authority signs them anew with earlier dates (see aged.py).
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, from_checkout, until
from tests.hosts.offers import IMAGES, K3S
from tests.hosts.places import interpreter
from tests.hosts.plain import PlainHost
from tests.hosts.shell import Spawned

pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.timeout(600),
]
STORY = True
HERE = Path(__file__).parent


class Box(Person):
    """Somebody at a machine whose agent is started by hand."""

    def __init__(self, host: PlainHost) -> None:
        super().__init__(host, from_checkout())
        self._agent: Spawned | None = None

    def starts_agent(self, window: str) -> None:
        """Start the agent with this window for restarts."""
        env = {"ARCHIPEL_RESTART_WINDOW": window, "ARCHIPEL_INTERVAL": "1"}
        self._agent = self.host.spawn([interpreter(), str(HERE / "sure_clock.py")], env=env)
        until(lambda: self.asks("agent", "status").code == Exit.OK, self._agent.output, 30)

    def stops_agent(self) -> None:
        """End the agent; k3s goes on."""
        self.host.run(["pkill", "-f", "sure_clock.py"]).ok()
        until(lambda: self.asks("agent", "status").code != Exit.OK, lambda: "the agent goes on", 30)

    def ages_certificates(self, days: float) -> None:
        """Have them end in so many days."""
        assert int(self.host.run([interpreter(), str(HERE / "aged.py"), str(days)]).ok().stdout) > 10

    def days_left(self) -> int:
        """Until the first certificate ends, by what the agent says."""
        said = self.status()["node"]["certificates_until"]
        return (datetime.fromisoformat(said) - datetime.now(UTC)).days if said else -1000

    def is_well(self) -> bool:
        """Whether the site is healthy."""
        return bool(self.status()["health"] == "healthy")


@pytest.fixture(scope="module")
def box(plain: PlainHost) -> Box:
    """A site on a light host, its agent with no window."""
    made = Box(plain)
    made.starts_agent("")
    up = made.up("--images", IMAGES)
    assert up.code == Exit.OK, up
    return made


def test_the_agent_sees_how_long_they_hold(box: Box) -> None:
    said = box.host.run([K3S, "certificate", "check", "-o", "json"]).ok().stdout
    first = min(datetime.fromisoformat(part.split('"')[0]) for part in said.split('"ExpiryTime":"')[1:])
    assert box.status()["node"]["certificates_until"] == f"{first:%Y-%m-%dT%H:%M:%SZ}"
    assert box.days_left() in (363, 364, 365)


def test_a_planned_restart_renews_them_and_the_pods_run_on(box: Box) -> None:
    box.ages_certificates(50.5)
    assert "k3s-certificates-unplanned" in box.findings()
    assert box.days_left() == 50
    containers, pid = box.containers(), box.k3s_pid()
    assert containers
    box.stops_agent()
    begins = datetime.fromisoformat(box.host.run(["date", "+%FT%T"]).ok().stdout.strip())
    span = (begins - timedelta(minutes=1), begins + timedelta(minutes=5))
    box.starts_agent("-".join(f"{one:%H:%M}" for one in span))
    until(lambda: box.days_left() > 360, box.status, 90)
    until(box.is_well, box.status, 90)
    assert box.k3s_pid() != pid
    assert box.containers() == containers
    assert "restarted k3s: its certificates end on" in box.types("logs", "agent").stdout


def test_a_k3s_that_ran_past_their_end_is_a_problem_and_the_repair_makes_new_ones(box: Box) -> None:
    box.stops_agent()
    box.starts_agent("")
    containers = box.containers()
    box.ages_certificates(-35)
    problem = box.findings()["k3s-certificates-ended"]
    assert problem["fix"]["restarts"]
    fixed = box.asks("doctor", "--fix", "k3s-certificates-ended")
    assert fixed.code == Exit.OK, fixed
    until(box.is_well, box.status, 90)
    assert box.days_left() > 360
    assert box.containers() == containers


def test_a_box_that_was_off_until_they_had_ended_renews_them_at_its_start(box: Box) -> None:
    box.stops_agent()
    containers = box.containers()
    box.host.run(["pkill", "-f", "k3s server"]).ok()
    until(lambda: not box.processes("k3s server") and not box.ready_nodes(), lambda: "k3s goes on", 30)
    box.ages_certificates(-35)
    box.starts_agent("")
    until(box.is_well, box.status, 90)
    until(lambda: "k3s-certificates-ended" not in box.findings(), box.findings, 30)
    assert box.days_left() > 360
    assert box.containers() == containers
