"""A real k3s is damaged in the ways of the field; each time one command brings back the same site, Ready.

One site for all of it. Damage is done while k3s is off, as a power cut leaves it. The three damages that take least are part
of every run, the others are proven apart; those about addresses follow one another.
"""

import pytest

from archipel_contract.exits import Exit
from tests.e2e.patient import Patient
from tests.e2e.person import until
from tests.hosts.plain import PlainHost

pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.timeout(900),
]
DB = "/var/lib/rancher/k3s/server/db"


@pytest.fixture(scope="module")
def box(plain: PlainHost) -> Patient:
    """A site on a light host; its agent has gone, its k3s runs."""
    made = Patient(plain)
    made.is_set_up()
    return made


@pytest.mark.prove
def test_another_address_on_a_card_of_another_name_is_taken(box: Patient) -> None:
    box.card_changes("lan7", "10.199.0.201")
    with box.agent():
        found = box.shows("interface-gone")
        assert found["fix"]["undo"]
        plan = box.asks("repair", "interface-gone", "--plan").document
        assert "10.199.0.201 on lan7" in {step["said"] for step in plan["steps"]}
        box.repairs("interface-gone")
        addresses = {one["address"] for one in box.objects("nodes")[0]["status"]["addresses"]}
        assert "10.199.0.201" in addresses


def test_a_torn_sqlite_datastore_is_read_into_a_new_one_and_the_old_one_kept(box: Patient) -> None:
    box.is_damaged("datastore")
    before = box.host.run(["sha256sum", f"{DB}/state.db"]).ok().stdout.split()[0]
    with box.agent():
        box.shows("datastore-damaged")
        box.repairs("datastore-damaged")
    kept = box.host.run(["sha256sum", f"{DB}/state.db.damaged-1"]).ok().stdout.split()[0]
    assert kept == before or box.host.run(["test", "-e", f"{DB}/state.db.damaged-1-wal"]).rc == 0


def test_damaged_programs_of_k3s_are_unpacked_anew(box: Patient) -> None:
    containers = box.containers()
    box.is_damaged("programs")
    with box.agent():
        box.shows("k3s-bundle-damaged")
        box.repairs("k3s-bundle-damaged")
    assert box.containers() == containers


@pytest.mark.prove
def test_a_dead_state_of_the_container_runtime_is_put_aside_and_pods_come_back(box: Patient) -> None:
    box.is_damaged("containerd")
    with box.agent():
        box.shows("containerd-state-damaged")
        box.repairs("containerd-state-damaged")
        until(lambda: any(name.startswith("coredns") for name in box.running_pods()), box.status, 90)
    assert box.host.run(["test", "-d", "/var/lib/rancher/k3s/agent/containerd.damaged-1"]).rc == 0


@pytest.mark.prove
def test_a_re_imaged_box_is_taken_for_the_node_it_was(box: Patient) -> None:
    # A server only warns of its own node's password and goes on (seen on v1.36.3); the repair ends the warning.
    box.is_damaged("password")
    with box.agent():
        box.is_well_again("node-password-rejected")
        until(lambda: "validation failed" in box.log(2000), box.log, 60)
        box.repairs("node-password-rejected")
        assert (
            box.asks("repair", "k3s-certificates-ending", "--yes", timeout=300).code == Exit.OK
        )  # a restart
        until(lambda: "password secret validation complete" in box.log(2000), box.log, 120)
        box.is_well_again("node-password-rejected")


@pytest.mark.prove
def test_the_address_from_before_is_put_in_force_again(box: Patient) -> None:
    box.card_changes("lan8", "10.199.0.202")
    with box.agent():
        box.shows("interface-gone")
        box.repairs("interface-gone")
        box.card_changes("lan7", "10.199.0.201")
        undone = box.asks("repair", "interface-gone", "--undo", timeout=300)
        assert undone.code == Exit.OK, (str(undone), box.log())
        box.is_well_again("interface-gone")


@pytest.fixture(scope="module")
def box_after_a_power_cut(box: Patient) -> Patient:
    """The box, which has lost its power and boots; the module's, because the host runs on after the test."""
    box.host.run(["sync"]).ok()
    box.host.power_cut()
    box.host.boot()
    box.nic = "eth0"
    box.card_changes("lan7", "10.199.0.201")
    return box


@pytest.mark.prove
def test_after_a_power_cut_the_node_comes_back_by_itself(box_after_a_power_cut: Patient) -> None:
    box = box_after_a_power_cut
    with box.agent("on"):
        box.is_well_again("k3s-stopped")


def test_a_full_disk_is_freed_of_what_nobody_needs_and_the_rest_is_named(box: Patient) -> None:
    old = "/var/lib/rancher/k3s/data/" + "ab" * 32
    with box.agent():
        free = int(box.host.run(["df", "--output=avail", "-B1", "/var/lib/rancher"]).ok().stdout.split()[1])
        size = int(box.host.run(["df", "--output=size", "-B1", "/var/lib/rancher"]).ok().stdout.split()[1])
        box.host.run(["mkdir", "-p", f"{old}/bin"]).ok()
        box.host.run(["fallocate", "-l", str(free - size // 50), f"{old}/bin/k3s"]).ok()
        box.shows("disk-full")
        plan = box.asks("repair", "disk-full", "--plan").document
        assert plan["steps"][0]["said"].startswith("unpacked programs of earlier k3s versions (programs)")
        box.repairs("disk-full", "--free", "programs")
        assert box.host.run(["test", "-e", old]).rc != 0
        box.host.run(["fallocate", "-l", str(free - size // 50), "/var/lib/rancher/of-the-site"]).ok()
        try:
            failed = box.asks("repair", "disk-full", "--yes", "--free", "logs", timeout=200)
            assert failed.finding["code"] == "disk-still-full"
            assert "the cluster's datastore" in str(failed.finding)
        finally:
            box.host.run(["rm", "/var/lib/rancher/of-the-site"]).ok()
