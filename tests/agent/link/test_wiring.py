"""How the agent comes by its link: from the settings, only where a broker is set, and reported by its core."""

import subprocess
import sys
from pathlib import Path

import pytest

from archipel_agent.compose import open_core
from archipel_agent.core import Core
from archipel_agent.link import making
from archipel_agent.linking import open_link
from archipel_agent.paths import Paths
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.settings import Settings
from archipel_contract.status import LinkMode, LinkState
from tests.agent.link.nodes import VirtualNode
from tests.fakes.clock import VirtualClock

NOTHING_LOADED = """
import sys
from archipel_agent import daemon, linking
from archipel_agent.settings import Settings
class Bare:
    store = object()
linking.open_link(Bare(), Settings()).look()
costly = ("paho", "cryptography", "archipel_agent.link.", "archipel_agent.identity", "archipel_agent.remote")
print(*[name for name in sys.modules if name.startswith(costly)])
"""


def core(root: Path, settings: Settings) -> Core:
    """A rehearsed agent with these settings."""
    paths = Paths(root)
    ports = rehearse(paths, Scenario(), VirtualClock()).ports
    made, _ = open_core(paths, ports, settings)
    return made


def test_without_a_broker_there_is_no_link_and_the_report_says_so(tmp_path: Path) -> None:
    one = core(tmp_path, Settings())
    open_link(one, Settings()).start()
    assert one.turn().link.state is LinkState.OFF


@pytest.mark.real_process
def test_without_a_broker_nothing_of_the_link_is_loaded() -> None:
    said = subprocess.run([sys.executable, "-c", NOTHING_LOADED], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""


def test_with_a_broker_every_turn_goes_to_the_outbox_and_the_report_shows_the_link(tmp_path: Path) -> None:
    settings = Settings(broker="mqtt://user:secret@127.0.0.1:1", link_mode="dial-in")
    one = core(tmp_path, settings)
    link = open_link(one, settings)
    link.start()
    one.turn()
    shown = one.turn().link
    assert (shown.mode, shown.broker) == (LinkMode.DIAL_IN, "mqtt://user@127.0.0.1:1")
    assert shown.waiting > 0
    assert (tmp_path / "var/lib/archipel/outbox.db").exists()
    link.stop()


def test_a_broker_that_cannot_be_meant_is_a_finding_and_the_agent_runs_on(tmp_path: Path) -> None:
    settings = Settings(broker="http://127.0.0.1")
    one = core(tmp_path, settings)
    link = open_link(one, settings)
    link.start()
    link.look()
    report = one.turn()
    assert (report.link.state, report.link.code) == (LinkState.AWAY, "link-broker-wrong")
    assert "link-broker-wrong" in {finding.code for finding in report.findings}


def test_a_broker_on_another_machine_is_refused_and_not_tried_all_the_time(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path)
    node.broker.refuses = "link-not-loopback"
    node.start()
    node.run(590.0, turns=10.0)
    status = node.link.status()
    assert (status.state, status.code, node.carrier.opened) == (LinkState.AWAY, "link-not-loopback", 1)


def test_a_keepalive_never_costs_a_ping_while_samples_travel() -> None:
    for every in (300.0, 900.0):
        plan = making.plan_of(Settings(broker="mqtt://localhost", metrics_every=every))
        assert making.keepalive(plan) > plan.metrics_every
    assert making.keepalive(making.plan_of(Settings(metrics_every=1e6))) == 3600


def test_a_line_is_kept_only_where_a_keepalive_can_be_longer_than_the_period() -> None:
    for every in (10.0, 3600.0, 52_000.0):
        settings = Settings(link_mode="dial-in", link_every=every)
        assert making.holds(settings)
        assert every < making.keepalive(making.plan_of(settings), is_held=True) <= 65_535
    assert not making.holds(Settings(link_mode="dial-in", link_every=53_000.0))
    assert not making.holds(Settings(link_mode="dial-in", link_hold="never"))
    assert not making.holds(Settings())
