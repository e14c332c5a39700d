"""Hosts can be given a full disk, a pulled cable and a second card, and can be compared before and after."""

import socket

import pytest

from tests.hosts.booted import BootedHost
from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.line import Line
from tests.hosts.places import interpreter
from tests.hosts.plain import PlainHost

pytestmark = [pytest.mark.real_process, pytest.mark.own_network]

_SERVE = "import socket; s = socket.create_server(('0.0.0.0', 7000)); c, _ = s.accept(); c.sendall(b'hello')"
_FETCH = "import socket, sys; print(socket.create_connection((sys.argv[1], 7000), 2).recv(9).decode())"


def test_two_plain_hosts_reach_each_other_and_a_pulled_cable_parts_them(lab: Lab) -> None:
    with PlainHost("one", lab) as one, PlainHost("two", lab) as two:
        server = two.spawn([interpreter(), "-c", _SERVE])
        _until_listening(two)
        assert one.run([interpreter(), "-c", _FETCH, two.ip]).ok().stdout == "hello\n"
        server.wait(5)
        server = two.spawn([interpreter(), "-c", _SERVE])
        _until_listening(two)
        two.cut_network()
        assert one.run([interpreter(), "-c", _FETCH, two.ip]).rc != 0
        two.heal_network()
        assert one.run([interpreter(), "-c", _FETCH, two.ip]).ok().stdout == "hello\n"


def _until_listening(host: Host) -> None:
    wait = "until ss -Hlnt | grep -q :7000; do sleep 0.01; done"
    host.run(["sh", "-c", wait], timeout=5).ok()
    assert [(seen.protocol, seen.port) for seen in host.listeners()] == [("tcp", 7000)]


@pytest.mark.booted
def test_a_booted_host_and_a_plain_one_share_a_network(lab: Lab, booted_host: BootedHost) -> None:
    with PlainHost("two", lab) as two:
        two.spawn([interpreter(), "-c", _SERVE])
        _until_listening(two)
        assert booted_host.run(["python3", "-c", _FETCH, two.ip]).ok().stdout == "hello\n"


@pytest.mark.booted
def test_the_pulled_cable_of_a_booted_host_costs_it_its_carrier(booted_host: BootedHost) -> None:
    booted_host.cut_network()
    lost = (
        "until grep -q 0 /sys/class/net/host0/carrier && ! ip route | grep -q '^default'; do sleep 0.01; done"
    )
    booted_host.run(["sh", "-c", lost], timeout=20).ok()
    booted_host.heal_network()
    found = "until ip route | grep -q '^default'; do sleep 0.01; done"
    booted_host.run(["sh", "-c", found], timeout=20).ok()


@pytest.mark.booted
def test_a_second_network_card_is_there_with_its_address(booted_host: BootedHost) -> None:
    booted_host.add_nic("plant0", "10.42.7.1/16")
    assert "10.42.7.1/16" in booted_host.run(["ip", "addr", "show", "plant0"]).ok().stdout


@pytest.mark.booted
def test_a_full_disk_refuses_writes_until_it_is_emptied(booted_host: BootedHost) -> None:
    booted_host.fill_disk(leave_bytes=1 << 20)
    many = ["dd", "if=/dev/zero", "of=/var/lib/much", "bs=1M", "count=3"]
    assert "No space left on device" in booted_host.run(many).stderr
    booted_host.empty_disk()
    booted_host.run(many).ok()


@pytest.mark.booted
def test_a_snapshot_shows_exactly_what_was_added_changed_and_removed(booted_host: BootedHost) -> None:
    booted_host.put(b"one", "/opt/changed")
    booted_host.put(b"gone", "/opt/removed")
    before = booted_host.snapshot_files(ignore=["/var/log", "/var/lib/systemd"])
    booted_host.run(["sh", "-c", "echo two >/opt/changed; rm /opt/removed; ln -s /nowhere /opt/added"]).ok()
    after = booted_host.snapshot_files(ignore=["/var/log", "/var/lib/systemd"])
    differing = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert differing == {"/opt/changed", "/opt/removed", "/opt/added"}
    assert (after["/opt/added"].kind, after["/opt/added"].content) == ("link", "/nowhere")


@pytest.mark.booted
def test_mounts_and_firewall_rules_made_in_a_host_are_seen(booted_host: BootedHost) -> None:
    assert booted_host.firewall_rules() == []
    booted_host.run(["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "99", "-j", "DROP"]).ok()
    assert any("99" in rule for rule in booted_host.firewall_rules())
    booted_host.run(["sh", "-c", "mkdir /mnt/x && mount -t tmpfs probe /mnt/x"]).ok()
    assert [seen.kind for seen in booted_host.mounts() if seen.point == "/mnt/x"] == ["tmpfs"]


def test_files_and_directories_travel_into_a_host_with_their_mode(
    plain_host: PlainHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree = tmp_path_factory.mktemp("tree")
    (tree / "below").mkdir()
    (tree / "below" / "file").write_text("text")
    plain_host.put(tree, "/opt/archipel/tree")
    assert plain_host.get("/opt/archipel/tree/below/file") == b"text"
    plain_host.put(b"secret", "/etc/archipel/key", 0o600)
    assert plain_host.snapshot_files()["/etc/archipel/key"].mode == 0o600
    with pytest.raises(FileNotFoundError, match="/etc/archipel/none"):
        plain_host.get("/etc/archipel/none")


def test_a_command_that_hangs_is_ended_and_its_words_are_kept(plain_host: PlainHost) -> None:
    with pytest.raises(TimeoutError, match="waiting for nothing"):
        plain_host.run(["sh", "-c", "echo waiting for nothing; sleep 60"], timeout=0.5)
    assert "sleep" not in plain_host.run(["ps", "-eo", "comm="]).ok().stdout


def test_a_line_leads_from_a_hosts_loopback_to_ours_until_it_is_cut(lab: Lab) -> None:
    ask = "import socket; print(socket.create_connection(('127.0.0.1', 7001), 2).recv(9).decode())"
    with PlainHost("one", lab) as one, socket.create_server(("127.0.0.1", 0)) as ours:
        line = Line(one.leader, inside=7001, outside=ours.getsockname()[1])
        try:
            for _ in range(2):
                asking = one.spawn([interpreter(), "-c", ask])
                ours.settimeout(5)
                far, _ = ours.accept()
                with far:
                    far.sendall(b"hello")
                assert asking.wait(5) == 0
                line.cut()
                assert "refused" in one.run([interpreter(), "-c", ask]).stderr
                line.heal()
        finally:
            line.close()
