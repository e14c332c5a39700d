"""A site with etcd is backed up while it runs, practised with, and lives on another machine: real k3s, two light hosts."""

from collections.abc import Iterator

import pytest

from archipel_contract.exits import Exit
from tests.e2e.moving import KEY, STICK, Box, fresh_box, lasting_objects
from tests.e2e.person import until
from tests.hosts.lab import Lab
from tests.hosts.offers import IMAGES, K3S, K3S_DROP_IN
from tests.hosts.plain import PlainHost

pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.prove,
    pytest.mark.timeout(900),
]

SNAPSHOTS = "/var/lib/rancher/k3s/server/db/snapshots"


@pytest.fixture(scope="module")
def old(plain: PlainHost) -> Box:
    """A site with etcd, an object of its own, and a recovery key."""
    before = plain.run(["cat", K3S_DROP_IN]).stdout.rstrip()
    plain.put(f"{before}\ncluster-init: true\n".encode(), K3S_DROP_IN)
    box = Box.at(plain)
    up = box.person.up("--name", "Halle 3", "--node-name", "press-7", "--images", IMAGES)
    assert up.code == Exit.OK, up
    box.person.kubectl("create", "configmap", "recipe", "--from-literal=steps=mix").ok()
    plain.run(["mkdir", "-p", STICK]).ok()
    box.secret = box.person.asks("backup", "key", "new").document["secret"]
    plain.put(box.secret.encode(), KEY, 0o600)
    box.objects = lasting_objects(box.person)
    return box


@pytest.fixture(scope="module")
def new(lab: Lab, old: Box) -> Iterator[Box]:
    """The machine that becomes the site."""
    with fresh_box(lab, old) as box:
        yield box


def test_a_snapshot_of_etcd_is_taken_while_k3s_runs_and_k3s_keeps_none_of_it(old: Box) -> None:
    pid = old.person.k3s_pid()
    done = old.person.asks("backup", "now", "--to", STICK)
    assert done.code == Exit.OK, done
    assert old.person.k3s_pid() == pid
    assert "archipel" not in old.host.run(["ls", SNAPSHOTS]).stdout
    (listed,) = old.person.asks("backup", "list", "--to", STICK).document["backups"]
    old.carry_away(listed["name"])


def test_a_drill_finds_the_snapshot_whole(old: Box) -> None:
    done = old.person.asks("backup", "drill", STICK, "--from-key", KEY)
    assert done.code == Exit.OK, done
    verified = old.person.asks("backup", "verify", "--to", STICK, "--from-key", KEY)
    assert (verified.code, verified.document["datastore"]) == (Exit.OK, "etcd"), verified


def test_another_machine_makes_its_etcd_from_the_snapshot(old: Box, new: Box) -> None:
    site = old.person.status()["site"]
    old.host.power_cut()
    done = new.person.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--yes", timeout=400)
    assert done.code == Exit.OK, (str(done), new.person.types("logs", "k3s", "-n", "40").stdout)
    assert new.person.status()["site"]["site_id"] == site["site_id"]
    assert new.person.ready_nodes() == ["press-7"]

    def lost() -> set[str]:
        now = lasting_objects(new.person)
        return {key for key, uid in old.objects.items() if now.get(key) != uid}

    until(lambda: not lost(), lost, 60)
    members = new.host.run(["curl", "-sk", "https://127.0.0.1:6443/db/info"]).ok().stdout
    assert f"{new.host.ip}:2380" in members and old.host.ip not in members


def test_k3s_starts_again_from_what_was_restored(new: Box) -> None:
    for words in (("down",), ("up",)):
        done = new.person.asks(*words)
        assert done.code == Exit.OK, done
    until(lambda: new.person.ready_nodes() == ["press-7"], new.person.status, 120)
    assert lasting_objects(new.person)["ConfigMap default/recipe"]
    new.host.run([K3S, "etcd-snapshot", "save", "--name", "after"], timeout=180).ok()
