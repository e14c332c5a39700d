"""The story of a box that dies: its site is backed up onto a stick while it runs, opens with stock tools, and lives on
another machine with the same objects and volumes. Two light hosts with a real k3s, read from top to bottom.
"""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archipel_contract.exits import Exit
from tests.e2e.moving import KEY, STICK, Box, fresh_box
from tests.e2e.person import Person, until
from tests.hosts.lab import Lab
from tests.hosts.offers import IMAGES, K3S
from tests.hosts.plain import PlainHost

STORY = True
pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.timeout(300),
]

STORAGE = "/var/lib/rancher/k3s/storage"
VOLUME = "pvc-1_default_plant"
PAUSE_SECONDS = 1.0
WORKLOAD = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "recipe", "namespace": "default"},
            "data": {"steps": "mix, heat, fill"},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": "default"},
            "stringData": {"password": "only the same key decrypts this"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "line", "namespace": "kube-system"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "line"}},
                "template": {
                    "metadata": {"labels": {"app": "line"}},
                    "spec": {
                        "containers": [
                            {
                                "name": "main",
                                "image": "docker.io/rancher/mirrored-pause:3.10.2",
                                "imagePullPolicy": "IfNotPresent",
                                "volumeMounts": [{"name": "plant", "mountPath": "/data"}],
                            }
                        ],
                        "volumes": [
                            {
                                "name": "plant",
                                "hostPath": {"path": f"{STORAGE}/{VOLUME}", "type": "Directory"},
                            }
                        ],
                    },
                },
            },
        },
    ],
}
KINDS = ("configmaps", "secrets", "deployments", "serviceaccounts", "namespaces", "clusterroles")


@pytest.fixture(scope="module")
def old(plain: PlainHost) -> Box:
    """A site with objects and a volume."""
    box = Box.at(plain)
    begun = time.monotonic()
    done = box.person.up("--name", "Halle 3", "--node-name", "press-7", "--images", IMAGES)
    box.up_seconds = time.monotonic() - begun
    assert done.code == Exit.OK, done
    plain.run(["mkdir", "-p", f"{STORAGE}/{VOLUME}/deep", STICK]).ok()
    script = f"cd {STORAGE}/{VOLUME} && echo 42 >count && head -c 300000 /dev/urandom >deep/blob && ln -s count latest"
    plain.run(["sh", "-ec", f"{script} && chown 1000:1000 count && chmod 640 count"]).ok()
    plain.put(json.dumps(WORKLOAD).encode(), "/tmp/workload.json")
    box.person.kubectl("apply", "-f", "/tmp/workload.json").ok()
    box.person.kubectl("label", "node", "press-7", "plant=hall-3").ok()
    until(
        lambda: any(name.startswith("line-") for name in box.person.running_pods()), box.person.running_pods
    )
    box.objects, box.volume = objects(box.person), volume(plain)
    return box


@pytest.fixture(scope="module")
def new(lab: Lab, old: Box) -> Iterator[Box]:
    """The machine that becomes the site."""
    with fresh_box(lab, old) as box:
        yield box


def objects(person: Person) -> dict[str, dict[str, Any]]:
    """Every object by kind and name with its id, and the content of those that a person made (k3s writes the new address
    into some of its own)."""
    found = {}
    for one in person.objects(",".join(KINDS)):
        meta = one["metadata"]
        key = f"{one['kind']} {meta.get('namespace', '')}/{meta['name']}"
        data = one.get("data") if meta.get("namespace") == "default" else None
        found[key] = {"uid": meta["uid"], "data": data, "created": meta["creationTimestamp"]}
    return found


def volume(host: PlainHost) -> dict[str, Any]:
    """Every file of the volume with its mode, owner and content."""
    listed = host.run(
        ["sh", "-c", f"cd {STORAGE}/{VOLUME} && stat -c '%n %a %u %g %F' . $(find . -mindepth 1 | sort)"]
    )
    sums = (
        host.run(["sh", "-c", f"cd {STORAGE}/{VOLUME} && find . -type f | sort | xargs sha256sum"])
        .ok()
        .stdout
    )
    link = host.run(["readlink", f"{STORAGE}/{VOLUME}/latest"]).ok().stdout
    return {"files": listed.ok().stdout, "sums": sums, "link": link}


def test_without_a_recovery_key_nothing_leaves_the_box(old: Box) -> None:
    refused = old.person.asks("backup", "now", "--to", STICK)
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "backup-no-recipients"), refused
    assert old.host.run(["ls", STICK]).ok().stdout == ""


def test_a_recovery_key_is_shown_once_and_only_its_public_half_is_kept(old: Box) -> None:
    made = old.person.asks("backup", "key", "new")
    assert made.code == Exit.OK, made
    old.secret = made.document["secret"]
    kept = old.host.run(["cat", "/etc/archipel/backup-recipients.txt"]).ok().stdout
    assert made.document["recipient"] in kept
    found = old.host.run(
        ["grep", "-rl", old.secret[20:40], "/etc/archipel", "/var/lib/archipel", "/run/archipel"]
    )
    assert found.stdout == ""
    old.host.put(old.secret.encode(), KEY, 0o600)


class Watch:
    """Reads and writes through the API every 50 ms, and remembers the longest time between two answers."""

    def __init__(self, box: Box) -> None:
        script = (
            "export KUBECONFIG=/etc/rancher/k3s/k3s.yaml; cat /etc/rancher/k3s/k3s.yaml >/dev/null; "
            f"exec {K3S} kubectl proxy --port 8999"
        )
        self._host = box.host
        self._proxy = box.host.spawn(["sh", "-c", script])
        self._stop = threading.Event()
        self.longest, self.answers = 0.0, 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        ask = ["curl", "-sf", "-m", "5", "http://127.0.0.1:8999/readyz"]
        until(lambda: self._host.run(ask).rc == 0, lambda: "kubectl proxy", 20)
        self._thread.start()
        return self

    def _run(self) -> None:
        patch = '{"data":{"n":"%s"}}'
        loop = (
            "n=0; while [ ! -e /tmp/enough ]; do n=$((n+1)); "
            "curl -sf -m 10 -o /dev/null -w '%{time_total}\\n' http://127.0.0.1:8999/readyz || echo 10; "
            "curl -sf -m 10 -o /dev/null -w '%{time_total}\\n' -X PATCH -H 'Content-Type: application/merge-patch+json' "
            f"-d '{patch % '$n'}' http://127.0.0.1:8999/api/v1/namespaces/default/configmaps/recipe || echo 10; "
            "sleep 0.05; done"
        ).replace('\'{"data":{"n":"$n"}}\'', '"{\\"data\\":{\\"n\\":\\"$n\\"}}"')
        done = self._host.run(["sh", "-c", loop], timeout=100)
        times = [float(line) for line in done.stdout.split()]
        self.longest, self.answers = max(times, default=99.0), len(times)

    def __exit__(self, *_: object) -> None:
        self._host.run(["touch", "/tmp/enough"]).ok()
        self._thread.join(30)
        self._proxy.stop()


def test_the_api_answers_all_through_a_backup(old: Box) -> None:
    with Watch(old) as seen:
        done = old.person.asks("backup", "now", "--to", STICK)
    assert done.code == Exit.OK, done
    assert seen.answers >= 3  # the backup itself takes a second or two
    assert seen.longest <= PAUSE_SECONDS, f"{seen.longest:.2f} s"
    print(f"longest answer during the backup: {seen.longest * 1000:.0f} ms of {seen.answers}")
    old.objects = objects(old.person)
    again = old.person.asks("backup", "now", "--to", STICK)
    listed = old.person.asks("backup", "list", "--to", STICK)
    assert again.code == Exit.OK and [one["sequence"] for one in listed.document["backups"]] == [2, 1]
    old.carry_away(listed.document["backups"][0]["name"])


@pytest.mark.skipif(shutil.which("age") is None, reason="the stock age is not installed here")
def test_it_opens_with_stock_tools_alone(old: Box, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(old.secret + "\n")
    (tmp_path / "sealed").write_bytes(old.sealed)
    assert b"press-7" not in old.sealed and b"Halle" not in old.sealed
    script = "mkdir out; age -d -i key sealed | tar -xzC out && cd out && sha256sum -c SHA256SUMS"
    done = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "var/lib/rancher/k3s/server/token: OK" in done.stdout
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert (manifest["site_name"], manifest["node_name"], manifest["datastore"]) == (
        "Halle 3",
        "press-7",
        "sqlite",
    )


def test_a_drill_restores_it_for_practice_and_leaves_nothing(old: Box) -> None:
    before = old.host.run(["find", "/var/lib/archipel", "-maxdepth", "1"]).ok().stdout
    done = old.person.asks("backup", "drill", STICK, "--from-key", KEY)
    assert done.code == Exit.OK, done
    print(done.document["sentence"])
    assert "objects" in done.document["sentence"] and "backup 2 of Halle 3" in done.document["sentence"]
    assert old.host.run(["find", "/var/lib/archipel", "-maxdepth", "1"]).ok().stdout == before
    planned = old.person.asks("backup", "schedule").document
    assert planned["drilled"]["sequence"] == 2 and planned["drilled"]["objects"] > 20


def test_a_living_site_is_not_overwritten(old: Box) -> None:
    refused = old.person.asks("restore", STICK, "--from-key", KEY, "--yes")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "backup-site-lives"), refused
    assert old.person.ready_nodes() == ["press-7"]


def test_another_machine_becomes_that_site(old: Box, new: Box) -> None:
    token = old.host.run(["cat", "/var/lib/rancher/k3s/server/token"]).ok().stdout
    authority = old.host.run(["sha256sum", "/var/lib/rancher/k3s/server/tls/server-ca.crt"]).ok().stdout
    site = old.person.status()["site"]
    old.host.power_cut()  # the box is dead
    begun = time.monotonic()
    done = new.person.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--yes")
    took = time.monotonic() - begun
    assert done.code == Exit.OK, done
    print(f"up took {old.up_seconds:.1f} s, restore {took:.1f} s: {done.document['sentence']}")
    assert took <= 3 * old.up_seconds
    now = new.person.status()["site"]
    assert (now["site_id"], now["name"]) == (site["site_id"], "Halle 3")
    assert now["network"]["node_ip"] == new.host.ip != site["network"]["node_ip"]
    assert new.person.ready_nodes() == ["press-7"]
    assert new.host.run(["cat", "/var/lib/rancher/k3s/server/token"]).ok().stdout == token
    assert (
        new.host.run(["sha256sum", "/var/lib/rancher/k3s/server/tls/server-ca.crt"]).ok().stdout == authority
    )


def test_its_objects_and_volumes_are_those_of_the_old_box(old: Box, new: Box) -> None:
    def lost() -> dict[str, Any]:
        now = objects(new.person)
        return {key: (one, now.get(key)) for key, one in old.objects.items() if now.get(key) != one}

    until(lambda: not lost(), lost, 60)  # a machine under load may not answer at once
    assert volume(new.host) == old.volume
    until(
        lambda: any(name.startswith("line-") for name in new.person.running_pods()), new.person.running_pods
    )
    (node,) = new.person.objects("nodes")
    addresses = {one["type"]: one["address"] for one in node["status"]["addresses"]}
    assert addresses["InternalIP"] == new.host.ip
    assert node["metadata"]["labels"]["plant"] == "hall-3"


def test_the_next_backup_goes_on_with_the_sequence(new: Box) -> None:
    done = new.person.asks("backup", "now", "--to", STICK)
    assert done.code == Exit.OK, done
    listed = new.person.asks("backup", "list", "--to", STICK).document["backups"]
    assert [one["sequence"] for one in listed] == [3, 2]
