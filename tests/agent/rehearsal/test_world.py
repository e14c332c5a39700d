"""The rehearsed machine keeps through a power cut what a real one keeps, and speaks in recorded lines."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel_agent.host.disk import SystemDisk
from archipel_agent.k3s import parse
from archipel_agent.k3s.unit import k3s_unit
from archipel_agent.observe import World as Seen
from archipel_agent.observe import glance
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, FetchFailed
from archipel_agent.rehearsal import director, recordings, scenario
from archipel_agent.rehearsal.binary import stand_in, version_in
from archipel_agent.rehearsal.compose import rehearse, simulated_ports
from archipel_contract.jobs import JobState, Verb
from archipel_contract.status import ServiceState
from tests.chaos.crashes import UP, request
from tests.chaos.node import SETTLED_SECONDS, Node
from tests.fakes.clock import VirtualClock


@pytest.fixture
def running() -> Node:
    """A machine that is a site."""
    node = Node()
    assert node.do(UP).state is JobState.SUCCEEDED
    return node


def test_a_site_comes_back_after_a_power_cut_with_nobody_typing(running: Node) -> None:
    running.come_back()
    running.clock.advance(SETTLED_SECONDS)
    assert running.ports.k3s.status().state is ServiceState.RUNNING
    assert running.ports.kube.request("GET", "/api/v1/nodes").status == 200
    assert running.ports.machine.kernel_setting("vm.overcommit_memory") == "1"


def test_a_power_cut_takes_the_process_the_kernel_settings_and_the_traces(running: Node) -> None:
    running.do(request(Verb.DOWN))
    running.disk.remove(running.paths.sysctl)
    boot = running.ports.machine.facts().boot_id
    running.come_back()
    assert running.ports.machine.facts().boot_id != boot
    assert running.ports.k3s.leftovers() == ()
    assert running.ports.machine.kernel_setting("vm.overcommit_memory") == "0"
    assert running.ports.k3s.status().pid is None


def test_a_site_that_is_down_stays_down_after_a_reboot(running: Node) -> None:
    assert running.do(request(Verb.DOWN)).state is JobState.SUCCEEDED
    running.come_back()
    running.clock.advance(SETTLED_SECONDS)
    assert running.ports.k3s.status().state is ServiceState.ABSENT


def test_a_killed_k3s_is_started_again_after_five_seconds(running: Node) -> None:
    before = running.ports.k3s.status().pid
    running.world.life.kill()
    assert running.ports.k3s.status().state is ServiceState.FAILING
    running.clock.advance(6)
    after = running.ports.k3s.status()
    assert after.pid not in (None, before)
    assert after.restarts == 1


def test_lines_carry_the_time_the_name_and_the_address_of_here(running: Node) -> None:
    lines = running.ports.k3s.log(2000)
    site = running.store.site()
    assert site is not None
    assert any(
        f"To join server node to cluster: k3s server -s https://{site.network.node_ip}" in line
        for line in lines
    )
    assert not any(recordings.ADDRESS in line for line in lines)
    assert sum(f'node="{site.nodes[0].node_name}"' in line for line in lines) > 3
    assert 'time="2026-11-22T07:01:' in lines[0]


def test_lines_appear_in_the_time_they_took() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    lines = recordings.emitted("first-start", began, 2.0, "here", "192.0.2.1")
    recording = recordings.log("first-start")
    ready = recording.seconds_until("Kube API server is now running", 0.0)
    assert 5 < ready < 60
    assert recording.count_until(ready) < len(lines) == len(recording.lines)
    assert lines[0].startswith('time="2026-01-01T00:00:00Z"')


def test_recordings_hold_no_secret() -> None:
    for name in ("first-start", "later-start", "token-mismatch"):
        text = "\n".join(recordings.log(name).lines)
        assert "contract-suite-token" not in text
        assert "::server:" not in text


def test_a_stand_in_is_recognised_only_whole_and_for_its_processor() -> None:
    program = stand_in("aarch64", "v1.36.3+k3s1")
    assert version_in(program, "aarch64") == "v1.36.3+k3s1"
    assert (
        version_in(program, "x86_64")
        == version_in(program[:-1], "aarch64")
        == version_in(b"", "aarch64")
        == ""
    )


def test_the_release_page_is_out_of_reach_when_the_cable_is_out(running: Node) -> None:
    running.world.inject("cable-out")
    with pytest.raises(FetchFailed, match="cannot be reached"):
        running.ports.fetcher.fetch(
            "https://github.com/k3s-io/k3s/releases/download/v1/sha256sum-arm64.txt", 100
        )


def test_a_command_the_machine_does_not_have_is_named(running: Node) -> None:
    with pytest.raises(CommandFailed, match="frobnicate cannot be started"):
        running.ports.runner.run(["frobnicate"])


def test_a_rehearsal_runs_on_real_files_below_a_private_root_without_privilege(tmp_path: Path) -> None:
    paths, clock = Paths(tmp_path), VirtualClock()
    ports = simulated_ports(paths, scenario.Scenario(pace=0.1), clock)
    assert ports.rehearsed
    found = ports.runner.find("k3s")
    assert found == tmp_path / "usr/bin/k3s"
    assert parse.version(ports.k3s.version_text(found)) == recordings.VERSION
    ports.k3s.install_service(k3s_unit(found, paths.k3s_config))
    ports.k3s.start()
    assert SystemDisk().exists(paths.k3s_unit)
    assert ports.k3s.status().state is ServiceState.STARTING
    assert glance(ports, Seen(paths=paths, store=None)).is_root


def test_whoever_leads_a_rehearsal_makes_and_ends_troubles_from_outside(tmp_path: Path) -> None:
    paths, disk = Paths(tmp_path), SystemDisk()
    made = rehearse(paths, scenario.Scenario(pace=0.1), VirtualClock())
    direct = director.Director(made.world)
    for present in (True, False):
        director.wish(disk, paths, "port-taken", present)
        direct()
        listeners = made.ports.machine.listeners() or ()
        assert any(one.process == "nginx" for one in listeners) is present


def test_a_new_process_finds_the_rehearsed_site_as_after_a_boot(tmp_path: Path) -> None:
    paths, clock = Paths(tmp_path), VirtualClock()
    first = rehearse(paths, scenario.Scenario(pace=0.1), clock)
    first.ports.k3s.install_service(k3s_unit(tmp_path / "usr/bin/k3s", paths.k3s_config))
    again = rehearse(paths, scenario.Scenario(pace=0.1), clock)
    assert again.ports.k3s.status().state is ServiceState.STARTING


def test_a_scenario_is_read_from_a_small_file(tmp_path: Path) -> None:
    file = tmp_path / "pi.toml"
    file.write_text(
        'title = "A full Pi"\nfaults = ["disk-full"]\n[machine]\nhostname = "hall-3"\nmemory_bytes = 1000\n'
    )
    read = scenario.load(file)
    assert (read.title, read.faults, read.facts.hostname) == ("A full Pi", ("disk-full",), "hall-3")
    assert read.facts.memory_bytes == 1000
    assert read.facts.raspberry_pi


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "unknown key colour"),
        ("[machine]\nwheels = 4", "unknown key machine.wheels"),
        ("pace = 0", "above 0"),
    ],
)
def test_a_scenario_with_a_mistake_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(scenario.ScenarioInvalid, match=said):
        scenario.parse(text)
