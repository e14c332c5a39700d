"""The story of a k3s with an etcd that somebody set up by hand: adopted, backed up as it runs, and living on another
machine, where Archipel sets it up. Two light hosts with a real k3s, read from top to bottom.
"""

import time
from collections.abc import Iterator

import pytest

from archipel_contract.exits import Exit
from tests.e2e.moving import KEY, STICK, Box, fresh_box, lasting_objects
from tests.e2e.person import until
from tests.hosts.lab import Lab
from tests.hosts.offers import IMAGES, K3S
from tests.hosts.plain import PlainHost

STORY = True
pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.prove,
    pytest.mark.timeout(900),
]

SERVER = "/var/lib/rancher/k3s/server"
AUTHORITY = f"{SERVER}/tls/server-ca.crt"
SETTINGS = """\
cluster-init: true
token: word-of-servers
agent-token: word-of-agents
cluster-cidr: 10.62.0.0/16
service-cidr: 10.63.0.0/16
etcd-snapshot-retention: 3
node-label:
  - plant=hall-3
tls-san:
  - old.example
disable:
  - traefik
  - metrics-server
  - local-storage
"""
OF_THE_OLD_MACHINE = "6555"
FLAGS = ("--disable", "servicelb", "--node-name", "press-7", "--lb-server-port", OF_THE_OLD_MACHINE)
RESTORE = ("restore", STICK, "--from-key", KEY, "--images", IMAGES)


@pytest.fixture(scope="module")
def old(plain: PlainHost) -> Iterator[Box]:
    """A k3s with etcd that runs as its owner started it, with objects of its own, and a recovery key."""
    plain.put(SETTINGS.encode(), "/etc/rancher/k3s/config.yaml", 0o600)
    plain.offer_images("/var/lib/rancher/k3s/agent/images")
    started = plain.spawn([K3S, "server", *FLAGS])
    box = Box.at(plain)
    until(lambda: box.person.ready_nodes() == ["press-7"], lambda: started.output()[-3000:], 150)
    until(
        lambda: any(name.startswith("coredns-") for name in box.person.running_pods()),
        box.person.running_pods,
    )
    box.person.kubectl("create", "configmap", "recipe", "--from-literal=steps=mix").ok()
    box.person.kubectl("create", "secret", "generic", "login", "--from-literal=word=readable-before").ok()
    plain.run(["mkdir", "-p", STICK]).ok()
    yield box
    started.stop()


@pytest.fixture(scope="module")
def new(lab: Lab, old: Box) -> Iterator[Box]:
    """The machine that becomes the site."""
    with fresh_box(lab, old) as box:
        yield box


def test_it_is_adopted_and_a_snapshot_of_its_etcd_is_taken_as_it_runs(old: Box) -> None:
    pid = old.person.k3s_pid()
    adopted = old.person.asks("adopt", "--yes", "--name", "Halle 3")
    assert adopted.code == Exit.OK, adopted
    old.secret = old.person.asks("backup", "key", "new").document["secret"]
    old.host.put(old.secret.encode(), KEY, 0o600)
    done = old.person.asks("backup", "now", "--to", STICK)
    assert done.code == Exit.OK, done
    assert old.person.k3s_pid() == pid
    assert "archipel" not in old.host.run(["ls", f"{SERVER}/db/snapshots"]).stdout
    verified = old.person.asks("backup", "verify", "--to", STICK, "--from-key", KEY)
    assert (verified.code, verified.document["datastore"]) == (Exit.OK, "etcd"), verified
    drilled = old.person.asks("backup", "drill", STICK, "--from-key", KEY)
    assert drilled.code == Exit.OK, drilled
    (listed,) = old.person.asks("backup", "list", "--to", STICK).document["backups"]
    old.carry_away(listed["name"])
    old.objects = lasting_objects(old.person)
    assert "ConfigMap default/recipe" in old.objects


def test_what_cannot_go_along_is_named_before_anything_is_touched(old: Box, new: Box) -> None:
    planned = new.person.asks(*RESTORE, "--plan")
    lost = [one for one in planned.document["drift"] if one["name"] == "lb-server-port"]
    assert [one["present"] for one in lost] == [OF_THE_OLD_MACHINE], planned
    assert planned.document["drift"][0] == lost[0]  # what is lost stands first
    assert [one["code"] for one in planned.document["findings"]] == ["backup-settings-lost"]
    refused = new.person.asks(*RESTORE, "--yes")
    assert refused.finding["code"] == "backup-settings-lost", refused
    assert new.host.run(["ls", "/var/lib/rancher/k3s"]).stdout.split() == ["agent"]  # the host's own drop-in
    assert "word-of" not in str(planned) + str(refused)


def test_another_machine_makes_its_etcd_from_the_snapshot_and_is_that_site(old: Box, new: Box) -> None:
    site = old.person.status()["site"]
    authority = old.host.run(["sha256sum", AUTHORITY]).ok().stdout
    old.host.power_cut()
    begun = time.monotonic()
    done = new.person.asks(*RESTORE, "--drop-settings", "--yes", timeout=400)
    assert done.code == Exit.OK, (str(done), new.person.types("logs", "k3s", "-n", "60").stdout)
    print(f"restore took {time.monotonic() - begun:.1f} s: {done.document['sentence']}")
    seen = new.person.asks("status", "--fresh")
    assert "site" in (seen.document or {}), seen
    now = seen.document["site"]
    assert (now["site_id"], now["name"], now["adopted"]) == (site["site_id"], "Halle 3", False)
    assert new.host.run(["sha256sum", AUTHORITY]).ok().stdout == authority
    assert new.person.ready_nodes() == ["press-7"]
    members = new.host.run(["curl", "-sk", "https://127.0.0.1:6443/db/info"]).ok().stdout
    assert f"{new.host.ip}:2380" in members and old.host.ip not in members


def test_its_objects_are_those_of_the_old_machine_and_what_could_go_along_holds(old: Box, new: Box) -> None:
    def lost() -> set[str]:
        now = lasting_objects(new.person)
        return {key for key, uid in old.objects.items() if now.get(key) != uid}

    until(lambda: not lost(), lost, 60)
    word = new.person.kubectl("get", "secret", "login", "-o", "jsonpath={.data.word}").stdout
    assert word == "cmVhZGFibGUtYmVmb3Jl"
    (node,) = new.person.objects("nodes")
    assert node["metadata"]["labels"]["plant"] == "hall-3"
    assert OF_THE_OLD_MACHINE not in node["metadata"]["annotations"]["k3s.io/node-args"]
    along = new.host.run(["cat", "/etc/rancher/k3s/config.yaml.d/40-adopted.yaml"]).ok().stdout
    assert "etcd-snapshot-retention" in along and "lb-server-port" not in along
    shown = "openssl s_client -connect 127.0.0.1:6443 </dev/null | openssl x509 -noout -ext subjectAltName"
    assert "old.example" in new.host.run(["sh", "-c", shown]).stdout
    for name, word in (("token", "::server:word-of-servers"), ("agent-token", "::node:word-of-agents")):
        assert new.host.run(["cat", f"{SERVER}/{name}"]).ok().stdout.strip().endswith(word)


def test_k3s_starts_again_with_both_tokens_and_backups_go_on(new: Box) -> None:
    for words in (("down",), ("up",)):
        done = new.person.asks(*words)
        assert done.code == Exit.OK, (str(done), new.person.types("logs", "k3s", "-n", "60").stdout)
    until(lambda: new.person.ready_nodes() == ["press-7"], new.person.status, 120)
    assert lasting_objects(new.person)["ConfigMap default/recipe"]
    done = new.person.asks("backup", "now", "--to", STICK)
    assert done.code == Exit.OK, done
    listed = new.person.asks("backup", "list", "--to", STICK).document["backups"]
    assert [one["sequence"] for one in listed] == [2, 1]
    assert "problem" not in [one["severity"] for one in new.person.findings().values()]
