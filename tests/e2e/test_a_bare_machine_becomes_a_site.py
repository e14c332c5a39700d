"""The story of one machine: a bare Debian is installed, becomes a site, is restarted, loses its power, falls ill, and is
left to itself as a stock k3s. One host, read from top to bottom.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import SMALL, Person, until
from tests.e2e.screen import screen
from tests.hosts.booted import BootedHost
from tests.hosts.offers import IMAGES
from tests.hosts.seen import FileSeen
from tests.hosts.shell import Completed

STORY = True
pytestmark = [
    pytest.mark.booted,
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
]

LISTENERS = Path(__file__).resolve().parents[2] / "docs/listeners.md"
CALM_SECONDS = 25.0
WRITTEN_ALL_THE_TIME = (
    "/var/log",
    "/var/lib/rancher",
    "/var/lib/kubelet",
    "/var/lib/archipel",
    "/var/lib/systemd",
    "/tmp",
)


@dataclass
class Site:
    """The machine, what installing and the first `up` said, and the files before."""

    host: BootedHost
    person: Person
    before: dict[str, FileSeen]
    installed: Completed
    up: Completed


@pytest.fixture(scope="module")
def site(booted: BootedHost) -> Iterator[Site]:
    """A site, made by the two commands of the documentation."""
    person = Person(booted)
    before = booted.snapshot_files()
    installed = booted.install_archipel()
    up = person.types("up", "--images", IMAGES, *SMALL, timeout=300)
    yield Site(booted, person, before, installed, up)


@pytest.fixture(scope="module")
def restarted(site: Site) -> Site:
    """The same machine after an orderly restart."""
    begun = time.monotonic()
    site.host.power_off()
    print(f"off in {time.monotonic() - begun:.1f} s; its console:\n{site.host.console()[-3000:]}")
    site.host.boot()
    return site


@pytest.fixture(scope="module")
def after_power_cut(restarted: Site) -> Site:
    """The same machine after its plug was pulled and put in again."""
    restarted.host.power_cut()
    restarted.host.boot()
    return restarted


def is_well(site: Site) -> bool:
    """Whether plain kubectl and `archipel status` both call it good."""
    return bool(
        site.person.ready_nodes() == ["edge"]
        and site.person.running_pods()
        and site.person.asks("status", "--fresh").code == Exit.OK
    )


def test_two_commands_make_a_bare_debian_a_site(site: Site) -> None:
    assert site.installed.rc == 0, site.installed
    assert site.up.rc == Exit.OK, f"{site.up.stdout}\n{site.up.stderr}"
    for title in ("Check this machine", "Start Kubernetes", "Wait for the node", "Wait for the core pods"):
        assert title in site.up.stdout + site.up.stderr


def test_k3s_unpacked_itself_beside_the_rest_and_its_start_found_it_done(site: Site) -> None:
    said = site.host.run(["journalctl", "-o", "cat", "-u", "archipel-unpack", "-u", "k3s"]).stdout
    begun = said.index("Started archipel-unpack.service")
    assert begun < said.index("Starting k3s.service") < said.index("Starting k3s v")
    assert said.count("Preparing data dir") == 1, said[:2000]


def test_status_and_plain_kubectl_show_the_same_ready_node_and_running_pods(site: Site) -> None:
    report = site.person.status()
    assert report["health"] == "healthy", report
    assert [one["name"] for one in report["cluster"]["nodes"] if one["ready"]] == ["edge"]
    assert site.person.ready_nodes() == ["edge"]
    pods = site.person.running_pods()
    assert {one["name"] for one in report["cluster"]["pods"] if one["ready"]} == set(pods)
    assert any(name.startswith("coredns-") for name in pods)
    assert report["node"]["k3s"]["pid"] == site.person.k3s_pid()
    assert report["node"]["k3s"]["kept_by"] == "systemd"


def test_the_screen_shows_that_node_and_those_pods(site: Site) -> None:
    pods = len(site.person.running_pods())
    with screen(site.host, "archipel", "tui") as tui:
        text = tui.until("Node     edge, server, Ready")
        assert re.search(r"k3s +v\S+ +running", text)
        assert f"Pods     + {pods} of {pods} ready" in text
        tui.type("q")
        assert tui.end() == Exit.OK
    print(text)


def test_up_again_changes_nothing_and_takes_a_moment(site: Site) -> None:
    files = site.host.snapshot_files(WRITTEN_ALL_THE_TIME)
    pid = site.person.k3s_pid()
    begun = time.monotonic()
    again = site.person.types("up")
    took = time.monotonic() - begun
    assert again.rc == Exit.OK, again
    assert took < 3, f"{took:.1f} s"
    assert site.person.k3s_pid() == pid
    assert site.host.snapshot_files(WRITTEN_ALL_THE_TIME) == files


def declared() -> dict[tuple[str, int], str]:
    """The table of the listeners' page: (protocol, port) -> the address it is open to, `*` for every one."""
    page = LISTENERS.read_text().partition("# What listens at a controller")[0]
    rows = re.findall(r"^\| (\d+)/(tcp|udp) \| \S+ \| ([^|]+) \|", page, re.MULTILINE)
    return {(kind, int(port)): "*" if to == "every address" else to for port, kind, to in rows}


def test_a_scan_finds_exactly_the_listeners_that_the_documentation_declares(site: Site) -> None:
    seen = {
        (one.protocol, one.port): "*" if one.address in ("*", "0.0.0.0", "[::]") else one.address
        for one in site.host.listeners()
    }
    assert len(seen) > 5
    assert seen == declared()


def test_after_a_restart_the_site_comes_back_with_nobody_typing(restarted: Site) -> None:
    took = until(lambda: is_well(restarted), restarted.person.status)
    print(f"well {took:.1f} s after systemd")
    assert restarted.host.settle() == "running", restarted.host.failed_units()


def test_after_a_power_cut_the_site_comes_back_with_nobody_typing(after_power_cut: Site) -> None:
    took = until(lambda: is_well(after_power_cut), after_power_cut.person.status)
    print(f"well {took:.1f} s after systemd")
    assert after_power_cut.person.asks("agent", "jobs").document["jobs"][0]["state"] == "succeeded"


def test_a_broken_kernel_setting_is_named_with_its_remedy_and_the_remedy_heals(after_power_cut: Site) -> None:
    host, person = after_power_cut.host, after_power_cut.person
    host.run(["sysctl", "-w", "kernel.panic=5"]).ok()
    assert person.findings()["kernel-setting-wrong"]["params"]["found"] == "kernel.panic=5"
    host.run(["systemctl", "restart", "--no-block", "k3s"]).ok()
    until(
        lambda: "invalid kernel flag" in str(person.findings()["kernel-setting-wrong"]["evidence"]),
        person.status,
    )
    assert person.asks("doctor").code == Exit.NOT_OK
    report = person.status()
    assert report["health"] == "unhealthy"
    (found,) = (one for one in report["findings"] if one["code"] == "kernel-setting-wrong")
    assert found["severity"] == "problem"
    assert "sudo sysctl -w kernel.panic=10" in found["next_step"]
    remedy = found["next_step"].partition(": ")[2].replace("sudo ", "")
    healed = host.run(["sh", "-ec", remedy], timeout=300)
    assert healed.rc == Exit.OK, healed
    assert "kernel-setting-wrong" not in person.findings()
    assert is_well(after_power_cut)


def test_a_disk_that_fills_up_under_the_site_is_named_and_the_site_lives_on(after_power_cut: Site) -> None:
    host, person = after_power_cut.host, after_power_cut.person
    host.fill_disk()
    try:
        doctor = person.asks("doctor")
        assert doctor.code == Exit.NOT_OK, doctor
        (found,) = (
            one
            for result in doctor.document["results"]
            for one in result["findings"]
            if one["code"] == "disk-full"
        )
        assert found["severity"] == "problem"
        assert "Make room" in found["next_step"]
        report = person.status()
        assert report["health"] == "unhealthy"
        assert "disk-full" in {one["code"] for one in report["findings"]}
        refused = person.up()
        assert refused.code == Exit.REFUSED, refused
        assert refused.finding["code"] in ("disk-full", "disk-too-small")
    finally:
        host.empty_disk()
    until(lambda: "disk-full" not in person.findings(), person.status)
    # k3s may end itself meanwhile, when it cannot write its lease for ten seconds; systemd brings it back.
    until(lambda: is_well(after_power_cut), person.status, seconds=180)
    assert person.ready_nodes() == ["edge"]


def settled(person: Person) -> dict[str, list[str]]:
    """Wait until all pods run and no container was replaced for a while; return the containers.

    After a full disk k3s has ended and come back, and the kubelet may still restart what missed its probes meanwhile.
    """
    seen: list[tuple[float, dict[str, list[str]]]] = []

    def is_calm() -> bool:
        now = person.containers()
        if not now or set(person.running_pods()) != set(now) or (seen and seen[-1][1] != now):
            seen.clear()
        if now:
            seen.append((time.monotonic(), now))
        return bool(seen) and seen[-1][0] - seen[0][0] >= CALM_SECONDS

    until(is_calm, person.containers, seconds=240)
    return seen[-1][1]


def test_removing_the_agent_leaves_k3s_and_its_pods_running(after_power_cut: Site) -> None:
    host, person = after_power_cut.host, after_power_cut.person
    pods, pid = settled(person), person.k3s_pid()
    removed = person.asks("remove", "--agent-only", "--yes")
    assert removed.code == Exit.OK, removed
    left = removed.document["result"]["left"].splitlines()
    until(
        lambda: host.run(["systemctl", "cat", "archipel-agent", "archipel-goodbye"]).rc != 0,
        host.failed_units,
    )
    assert person.k3s_pid() == pid
    until(lambda: person.containers() == pods, person.containers)
    until(lambda: set(person.running_pods()) == set(pods), person.containers)
    until(lambda: person.ready_nodes() == ["edge"], lambda: person.objects("nodes"))
    assert person.k3s_pid() == pid
    ours = {
        path
        for path in host.snapshot_files(("/var/log/journal", "/var/lib/rancher", "/var/lib/kubelet", "/root"))
        if "archipel" in path
    }
    assert {path for path in ours if path not in left and path not in after_power_cut.before} == set()
    assert person.processes("archipel") == []
