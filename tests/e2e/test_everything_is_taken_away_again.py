"""The story of a machine that is to be as it was: what stands in the way of a first `up` is named, then it becomes a site,
loses the program but keeps its data, gets the program again, and at the end everything goes. One host, read from top to
bottom.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, until
from tests.hosts.booted import BootedHost
from tests.hosts.offers import IMAGES
from tests.hosts.seen import FileSeen, Mount

STORY = True
pytestmark = [
    pytest.mark.booted,
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
]

# Written by the operating system whatever happens on it.
NOT_COMPARED = ("/var/log", "/var/lib/systemd", "/root")
# What `remove --everything` prints as staying, by the words it prints and the paths they mean.
GROUPS = "the groups archipel and archipel-technician"
GROUP_FILES = {"/etc/group", "/etc/group-", "/etc/gshadow", "/etc/gshadow-"}
# The frame of a table in which no rule and no chain of anybody's is left.
EMPTY_TABLE = re.compile(
    r"nft (|\}|table \S+ \S+ \{|chain [A-Z]+ \{|type \w+ hook \w+ priority [^;]+; policy accept;)"
)
OF_ANOTHER_PROGRAM = "/etc/cni/net.d/87-podman.conflist"
TAKEN = "import socket,time; s=socket.socket(); s.bind(('0.0.0.0',6443)); s.listen(); time.sleep(600)"


@dataclass(frozen=True)
class Before:
    """The machine before anything of ours came."""

    files: dict[str, FileSeen]
    mounts: set[Mount]
    links: dict[str, str]
    rules: list[str]
    settings: str

    @classmethod
    def of(cls, host: BootedHost) -> "Before":
        """Look at a host."""
        settings = host.run(
            ["sh", "-c", "sysctl -a 2>/dev/null | grep -E '^(kernel.panic|kernel.keys|vm.[op])'"]
        )
        return cls(
            host.snapshot_files(NOT_COMPARED),
            set(host.mounts()),
            host.links(),
            host.firewall_rules(),
            settings.stdout,
        )


@dataclass
class Box:
    """The machine, and how it was."""

    host: BootedHost
    person: Person
    before: Before


@pytest.fixture(scope="module")
def box(booted: BootedHost) -> Iterator[Box]:
    """The agent is installed, nothing else was done."""
    booted.run(["sysctl", "-w", "kernel.panic=5"]).ok()
    booted.put(b"{}", OF_ANOTHER_PROGRAM)
    before = Before.of(booted)
    booted.install_archipel().ok()
    yield Box(booted, Person(booted), before)


def test_a_port_that_is_taken_is_named_with_its_owner_and_nothing_is_changed(box: Box) -> None:
    owner = box.host.spawn(["python3", "-c", TAKEN])
    until(lambda: any(one.port == 6443 for one in box.host.listeners()), owner.output, 10)
    files = box.host.snapshot_files((*NOT_COMPARED, "/var/lib/archipel"))
    refused = box.person.up()
    assert refused.code == Exit.REFUSED, refused
    assert refused.finding["code"] == "port-taken"
    assert "6443/tcp" in refused.finding["params"]["ports"]
    assert refused.finding["params"]["owner"].startswith("python3 (pid ")
    assert "Stop that program" in refused.finding["next_step"]
    assert box.person.findings()["port-taken"]["params"] == refused.finding["params"]
    assert box.host.snapshot_files((*NOT_COMPARED, "/var/lib/archipel")) == files
    box.host.run(["kill", refused.finding["params"]["pid"]]).ok()
    owner.wait(10)


@pytest.mark.parametrize("left", [1_000_000_000, 0], ids=["almost full", "full"])
def test_a_full_disk_is_named_before_anything_is_changed(box: Box, left: int) -> None:
    files = box.host.snapshot_files((*NOT_COMPARED, "/var/lib/archipel"))
    box.host.fill_disk(leave_bytes=left)
    try:
        refused = box.person.up()
        assert refused.code == Exit.REFUSED, refused
        assert refused.finding["code"] in ("disk-too-small", "disk-full")
        assert "Make room" in refused.finding["next_step"]
        assert box.person.asks("doctor").code == Exit.NOT_OK
    finally:
        box.host.empty_disk()
    assert box.host.snapshot_files((*NOT_COMPARED, "/var/lib/archipel")) == files


def test_who_is_not_root_is_told_so(box: Box) -> None:
    done = box.host.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "archipel", "up"])
    assert done.rc == Exit.NOT_PERMITTED, done
    assert "sudo" in done.stderr


def test_who_is_not_root_and_finds_no_agent_is_told_so(box: Box) -> None:
    box.host.run(["systemctl", "stop", "archipel-agent"]).ok()
    done = box.host.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "archipel", "up"])
    assert done.rc == Exit.NOT_PERMITTED, done
    assert "sudo archipel up" in done.stderr
    box.host.run(["systemctl", "start", "archipel-agent"]).ok()


def test_a_second_agent_is_refused_and_the_first_goes_on(box: Box) -> None:
    pid = box.person.asks("agent", "status").document["pid"]
    second = box.person.types("agent", "run", timeout=20)
    assert second.rc == Exit.REFUSED, second
    assert "another agent" in second.stderr
    assert box.person.asks("agent", "status").document["pid"] == pid


def test_once_the_way_is_free_the_machine_becomes_a_site(box: Box) -> None:
    up = box.person.up("--images", IMAGES, "--name", "Halle 3")
    assert up.code == Exit.OK, up
    assert box.person.ready_nodes() == ["edge"]
    made = box.person.kubectl("create", "configmap", "of-the-site", "--from-literal=a=b")
    assert made.rc == 0, made


def test_the_machine_is_prepared_for_years(box: Box) -> None:
    journal = box.host.run(["cat", "/etc/systemd/journald.conf.d/90-archipel.conf"]).ok().stdout
    assert "SystemMaxUse=100M" in journal
    effective = box.host.run(["systemd-analyze", "cat-config", "systemd/logind.conf"]).ok().stdout
    assert "InhibitDelayMaxSec=65" in effective
    asked = box.person.kubectl("get", "--raw", "/api/v1/nodes/edge/proxy/configz").ok().stdout
    kubelet = json.loads(asked)["kubeletconfig"]
    assert (kubelet["shutdownGracePeriod"], kubelet["shutdownGracePeriodCriticalPods"]) == ("1m0s", "15s")
    # logind lets kubelet hold a shutdown back, so kubelet had no need to write a file of its own beside ours.
    held = box.host.run(["systemd-inhibit", "--list", "--no-pager"]).ok().stdout
    assert re.search(r"kubelet .*shutdown .*delay", held), held
    assert box.host.run(["ls", "/etc/systemd/logind.conf.d"]).ok().stdout.split() == ["90-archipel.conf"]
    plan = box.person.types("up", "--plan").stdout
    assert "Prepare the machine for years" in plan and "set already" in plan


def test_a_removal_without_a_choice_shows_the_choices_and_does_nothing(box: Box) -> None:
    files = box.host.snapshot_files(
        (*NOT_COMPARED, "/var/lib/archipel", "/var/lib/rancher", "/var/lib/kubelet")
    )
    shown = box.person.types("remove")
    assert shown.rc == Exit.OK
    for choice in ("--agent-only", "--keep-data", "--everything"):
        assert choice in shown.stdout
    ignored = (*NOT_COMPARED, "/var/lib/archipel", "/var/lib/rancher", "/var/lib/kubelet")
    assert box.host.snapshot_files(ignored) == files
    assert box.person.ready_nodes() == ["edge"]


def gone(box: Box) -> bool:
    """Whether the agent has taken its leave."""
    return box.host.run(["sh", "-c", "test ! -e /opt/archipel && ! systemctl cat archipel-goodbye"]).rc == 0


def test_removing_all_but_the_data_ends_the_pods_and_a_later_up_goes_on_with_the_same_site(box: Box) -> None:
    before = box.person.status()["site"]
    removed = box.person.asks("remove", "--keep-data", "--yes")
    assert removed.code == Exit.OK, removed
    left = removed.document["result"]["left"].splitlines()
    until(lambda: gone(box), box.host.failed_units, 30)
    assert not box.person.processes("k3s server")
    assert box.host.links() == box.before.links
    assert {"/var/lib/rancher/k3s", "/etc/rancher/k3s", "/var/lib/archipel"} <= set(left)
    box.host.install_archipel().ok()
    up = box.person.up()
    assert up.code == Exit.OK, up
    after = box.person.status()["site"]
    assert after["site_id"] == before["site_id"]
    assert (after["name"], after["nodes"]) == (before["name"], before["nodes"])
    assert box.person.kubectl("get", "configmap", "of-the-site", "-o", "jsonpath={.data.a}").stdout == "b"
    until(lambda: box.person.status()["health"] == "healthy", box.person.status)


def test_down_stops_everything_and_a_restart_does_not_bring_it_back(box: Box) -> None:
    down = box.person.asks("down")
    assert down.code == Exit.OK, down
    assert box.person.processes("containerd-shim-runc-v2") == []
    assert box.host.links() == box.before.links
    report = box.person.status()
    assert report["health"] == "stopped"
    assert [one["code"] for one in report["findings"] if one["severity"] == "problem"] == []


def test_after_removing_everything_the_machine_is_as_before_but_for_what_was_printed(box: Box) -> None:
    assert box.person.up().code == Exit.OK
    removed = box.person.asks("remove", "--everything", "--yes")
    assert removed.code == Exit.OK, removed
    printed = removed.document["result"]["left"].splitlines()
    until(lambda: gone(box), box.host.failed_units, 30)
    after = Before.of(box.host)
    changed = {
        path
        for path in {*box.before.files, *after.files}
        if box.before.files.get(path) != after.files.get(path) and not _is_place_of(path, box, after)
    }
    assert GROUPS in printed
    assert OF_ANOTHER_PROGRAM in after.files
    assert changed - GROUP_FILES <= set(printed)
    assert after.mounts == box.before.mounts
    assert after.links == box.before.links
    assert [
        rule for rule in after.rules if rule not in box.before.rules and not EMPTY_TABLE.fullmatch(rule)
    ] == []
    assert any("empty firewall tables" in line for line in printed)
    assert after.settings == box.before.settings
    assert not box.person.processes("k3s") and not box.person.processes("archipel")
    shown = box.host.run(["systemctl", "list-units", "--all", "--plain", "--no-legend"]).stdout
    assert re.findall(r"(?:k3s|archipel)\S*\.service", shown) == []
    assert box.host.failed_units() == []


def _is_place_of(path: str, box: Box, after: Before) -> bool:
    """Whether a directory only shows another size or time; its mode and owner, and entries in it, are compared."""
    before, now = box.before.files.get(path), after.files.get(path)
    if before is None or now is None or before.kind != "directory" or now.kind != "directory":
        return False
    return (before.mode, before.uid, before.gid) == (now.mode, now.uid, now.gid)
