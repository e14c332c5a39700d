"""A real k3s with one etcd member: told its new address, and brought back from its newest snapshot."""

import pytest

from tests.e2e.patient import Patient
from tests.hosts.offers import K3S
from tests.hosts.plain import PlainHost

pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.prove,
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def box(plain: PlainHost) -> Patient:
    """A site whose datastore is etcd."""
    made = Patient(plain)
    made.is_set_up("cluster-init: true")
    return made


def test_etcd_is_told_the_new_address(box: Patient) -> None:
    box.card_changes("eth0", "10.199.0.203")
    with box.agent():
        box.shows("address-gone")
        box.repairs("address-gone")
        members = box.host.run(["curl", "-sk", "https://127.0.0.1:6443/db/info"]).ok().stdout
        assert "10.199.0.203:2380" in members


def test_a_damaged_etcd_comes_back_from_its_newest_snapshot(box: Patient) -> None:
    box.host.run([K3S, "etcd-snapshot", "save", "--name", "before"], timeout=180).ok()
    box.is_damaged("etcd")
    with box.agent():
        box.shows("etcd-damaged")
        box.repairs("etcd-damaged")
    kept = box.host.run(["sh", "-c", "ls /var/lib/rancher/k3s/server/db"]).ok().stdout
    assert "etcd-old-" in kept
