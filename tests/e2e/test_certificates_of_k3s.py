"""Certificates of a real k3s: seen, renewed by a planned restart, renewed at the start after a year off, repaired.

The year is in the files: the cluster's own authority signs them anew with earlier dates (see aged.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, from_checkout, until
from tests.hosts.offers import IMAGES, K3S
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
PYTHON = str(Path(from_checkout()[0]).with_name("python"))


class Box(Person):
    """Somebody at a machine whose agent is started by hand; each test has its own."""

    def __init__(self, host: PlainHost) -> None:
        super().__init__(host, from_checkout())

    @contextmanager
    def agent(self, window: str = "") -> Iterator[Spawned]:
        """The agent runs with this window for restarts, and is ended; k3s goes on."""
        env = {"ARCHIPEL_RESTART_WINDOW": window, "ARCHIPEL_INTERVAL": "1"}
        agent = self.host.spawn([PYTHON, str(HERE / "sure_clock.py")], env=env)
        try:
            until(lambda: self.asks("agent", "status").code == Exit.OK, agent.output, 30)
            yield agent
        finally:
            self.host.run(["pkill", "-f", "sure_clock.py"])
            agent.wait(30)

    def window_now(self) -> str:
        """A window so short that this node's minutes are all of it, and that has begun."""
        now = datetime.fromisoformat(self.host.run(["date", "+%FT%T"]).ok().stdout.strip())
        return f"{now - timedelta(minutes=1):%H:%M}-{now + timedelta(minutes=5):%H:%M}"

    def ages_certificates(self, days: float) -> None:
        """Have them end in so many days."""
        assert int(self.host.run([PYTHON, str(HERE / "aged.py"), str(days)]).ok().stdout) > 10

    def days_left(self) -> int:
        """Until the first certificate ends, by what the agent says."""
        said = self.status()["node"]["certificates_until"]
        return (datetime.fromisoformat(said) - datetime.now(UTC)).days if said else -1000

    def is_well(self) -> bool:
        """Whether the site is healthy."""
        return bool(self.status()["health"] == "healthy")


@pytest.fixture(scope="module")
def box(plain: PlainHost) -> Box:
    """A site on a light host; its agent has gone, its k3s runs."""
    made = Box(plain)
    with made.agent():
        up = made.up("--images", IMAGES)
        assert up.code == Exit.OK, up
    return made


def test_the_agent_sees_how_long_they_hold(box: Box) -> None:
    said = box.host.run([K3S, "certificate", "check", "-o", "json"]).ok().stdout
    first = min(datetime.fromisoformat(part.split('"')[0]) for part in said.split('"ExpiryTime":"')[1:])
    with box.agent():
        assert box.status()["node"]["certificates_until"] == f"{first:%Y-%m-%dT%H:%M:%SZ}"
        assert box.days_left() in (363, 364, 365)


def test_a_planned_restart_renews_them_and_the_pods_run_on(box: Box) -> None:
    containers, pid = box.containers(), box.k3s_pid()
    assert containers
    box.ages_certificates(50.5)
    with box.agent():
        assert "k3s-certificates-unplanned" in box.findings()
        assert box.days_left() == 50
    with box.agent(box.window_now()) as agent:
        until(lambda: box.days_left() > 360, box.status, 90)
        until(box.is_well, box.status, 90)
        assert "restarted k3s: its certificates end on" in agent.output()
    assert box.k3s_pid() != pid
    assert box.containers() == containers


def test_a_k3s_that_ran_past_their_end_is_a_problem_and_the_repair_makes_new_ones(box: Box) -> None:
    containers = box.containers()
    box.ages_certificates(-35)
    with box.agent():
        problem = box.findings()["k3s-certificates-ended"]
        assert problem["fix"]["restarts"]
        fixed = box.asks("doctor", "--fix", "k3s-certificates-ended")
        assert fixed.code == Exit.OK, fixed
        until(box.is_well, box.status, 90)
        assert box.days_left() > 360
    assert box.containers() == containers


def test_a_box_that_was_off_until_they_had_ended_renews_them_at_its_start(box: Box) -> None:
    containers = box.containers()
    box.host.run(["kill", str(box.k3s_pid())]).ok()
    until(lambda: not box.processes("k3s") and not box.processes("server"), lambda: "k3s goes on", 30)
    box.ages_certificates(-35)
    with box.agent():
        until(lambda: box.is_well() and box.days_left() > 360, box.status, 90)
        assert "k3s-certificates-ended" not in box.findings()
    assert box.containers() == containers
