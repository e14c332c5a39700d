"""The story of a k3s that its own installer set up under systemd: adopted without a restart, restarted with its host,
backed up, given back to the byte; and its backup makes another machine the same site. Booted hosts, read from top to bottom.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from archipel_contract.exits import Exit
from tests.e2e.carrying import KEY, STICK, Carried, new_hardware
from tests.e2e.person import Person, until
from tests.hosts import stock
from tests.hosts.booted import BootedHost
from tests.hosts.lab import Lab
from tests.hosts.offers import IMAGES

STORY = True
pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.booted,
    pytest.mark.own_network,
    pytest.mark.prove,
    pytest.mark.timeout(600),
]

AUTHORITY = "/var/lib/rancher/k3s/server/tls/server-ca.crt"
FLAGS = (
    "--default-local-storage-path",
    "/srv/volumes",
    "--disable",
    "traefik",
    "--disable=metrics-server",
    "--tls-san",
    "old.example",
    "--node-label",
    "plant=hall-3",
)
SETTINGS = '# Of whoever set this up.\ndisable:\n  - servicelb\nwrite-kubeconfig-mode: "0640"\n'
ENVIRONMENT = "K3S_TOKEN='secret-of-years'\n"
# Places of k3s, its owner and the machine; what k3s itself writes all the time as it runs is left out.
KEPT = (
    "find /etc/rancher /etc/sysctl.d /etc/systemd /usr/local/bin /var/lib/rancher/k3s/server/manifests"
    " /var/lib/rancher/k3s/server/tls /var/lib/rancher/k3s/agent/etc"
    " \\( -type f -o -type l \\) -not -path '*archipel*' -not -name dynamic-cert.json"
    " -exec stat -c '%n %a %u %g %N' {} + | sort;"
    " find /etc/rancher /etc/sysctl.d /etc/systemd /usr/local/bin /var/lib/rancher/k3s/server/manifests"
    " /var/lib/rancher/k3s/server/tls /var/lib/rancher/k3s/agent/etc -type f -not -path '*archipel*'"
    " -not -name dynamic-cert.json | sort | xargs sha256sum"
)
OBJECTS = "namespaces,configmaps,secrets,serviceaccounts,deployments,clusterroles,clusterrolebindings"


@dataclass
class Remembered(Carried):
    """And what the old machine was like when it was backed up."""

    authority: str = ""
    objects: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def carried() -> Remembered:
    """Nothing yet."""
    return Remembered()


@pytest.fixture(scope="module")
def person(booted: BootedHost) -> Iterator[Person]:
    """Somebody at a machine on which the stock installer has set k3s up."""
    booted.run(["mkdir", "-p", "/var/lib/rancher/k3s/agent"]).ok()
    booted.run(["cp", "-r", IMAGES, "/var/lib/rancher/k3s/agent/images"]).ok()
    stock.install(booted, flags=FLAGS, environment=ENVIRONMENT, settings=SETTINGS)
    stock.await_ready(booted)
    made = Person(booted)
    made.kubectl("create", "configmap", "recipe", "--from-literal=steps=mix").ok()
    made.kubectl("create", "secret", "generic", "login", "--from-literal=word=readable-before").ok()
    yield made


def of_k3s(person: Person) -> dict[str, str]:
    """What must not change: its process, its containers, its files, its unit as systemd knows it."""
    pods = "{range .items[*]}{.metadata.name} {.status.containerStatuses[*].containerID}{end}"
    assert isinstance(person.host, BootedHost)
    about = [
        "systemctl",
        "show",
        "k3s",
        "-p",
        "MainPID,NRestarts,UnitFileState,FragmentPath,DropInPaths,InvocationID",
    ]
    return {
        "pid": stock.main_pid(person.host),
        "unit": person.host.run(about).ok().stdout,
        "containers": person.kubectl("get", "pods", "-A", "-o", f"jsonpath={pods}").ok().stdout,
        "files": person.host.run(["sh", "-c", KEPT]).ok().stdout,
    }


def lasting(seen: dict[str, str]) -> list[str]:
    """The files that also a start of k3s leaves alone: it lays its own manifests anew, and takes away those switched off."""
    return [line for line in seen["files"].splitlines() if "/server/manifests/" not in line]


def uids(person: Person) -> dict[str, str]:
    """Every lasting object by kind, namespace and name, with its id."""
    return {
        f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one["metadata"][
            "uid"
        ]
        for one in person.objects(OBJECTS)
    }


@pytest.fixture(scope="module")
def before(person: Person) -> dict[str, str]:
    """How it was before anything of ours was on the machine; the product is installed after that."""
    seen = of_k3s(person)
    assert int(seen["pid"]) > 1 and "containerd://" in seen["containers"]
    person.host.install_archipel().ok()
    return seen


@pytest.fixture(scope="module")
def objects_before(person: Person) -> dict[str, str]:
    """The cluster's lasting objects before."""
    return uids(person)


def test_installing_the_product_and_up_leave_it_alone(
    person: Person, objects_before: dict[str, str], before: dict[str, str]
) -> None:
    refused = person.up()
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "foreign-k3s"), refused
    assert of_k3s(person) == before


def test_the_plan_lists_the_drift_of_flags_environment_and_files_and_no_secret(
    person: Person, before: dict[str, str]
) -> None:
    plan = person.asks("adopt", "--plan")
    assert plan.code == Exit.OK, plan
    drift = {one["name"]: one for one in plan.document["drift"]}
    assert drift["tls-san"]["present"] == "old.example"
    assert drift["write-kubeconfig-mode"]["present"] == "0640"
    assert drift["node-label"]["present"] == "plant=hall-3"
    assert drift[stock.UNIT]["present"] == "the unit of another installer"
    assert drift["secrets-encryption"]["later"] == "restart"
    assert "secret-of-years" not in str(plan)
    assert of_k3s(person) == before


def test_it_is_adopted_as_it_runs(person: Person, before: dict[str, str]) -> None:
    done = person.asks("adopt", "--yes", "--name", "Old box")
    assert done.code == Exit.OK, done
    assert of_k3s(person) == before
    seen = person.status()["node"]["k3s"]
    assert (seen["state"], seen["kept_by"], str(seen["pid"])) == ("running", "systemd", before["pid"]), seen


def test_it_is_looked_after_and_the_drift_is_a_hint(person: Person) -> None:
    found = person.findings()
    assert found["site-adopted-drift"]["severity"] == "hint"
    wrong = [one for one in found.values() if one["severity"] == "problem" and one["code"].startswith("k3s-")]
    assert not wrong, wrong
    assert {one["name"] for one in person.asks("adopt", "--drift").document} >= {"tls-san", stock.UNIT}


def test_it_is_backed_up_as_it_runs(person: Person, before: dict[str, str], carried: Remembered) -> None:
    carried.take(person)
    assert of_k3s(person) == before
    carried.objects = uids(person)
    carried.authority = person.host.run(["sha256sum", AUTHORITY]).ok().stdout


def test_what_would_remove_or_change_it_is_refused(person: Person, before: dict[str, str]) -> None:
    for words in (
        ["remove", "--everything", "--yes"],
        ["remove", "--keep-data", "--yes"],
        ["up", "--k3s", "/usr/local/bin/k3s"],
    ):
        refused = person.asks(*words)
        assert (refused.code, refused.finding.get("code")) == (Exit.REFUSED, "adopted-not-ours"), (
            words,
            str(refused),
        )
    assert person.asks("up").code == Exit.OK
    assert of_k3s(person) == before


@pytest.fixture(scope="module")
def restarted(person: Person) -> Person:
    """The same machine, switched off in order and on again."""
    host = person.host
    assert isinstance(host, BootedHost)
    host.power_off()
    host.boot()
    return person


def test_after_a_restart_of_the_host_its_own_unit_starts_it_and_it_is_watched(
    restarted: Person, before: dict[str, str]
) -> None:
    person, host = restarted, restarted.host
    assert isinstance(host, BootedHost)
    stock.await_ready(host)
    until(lambda: person.status()["node"]["k3s"]["state"] == "running", person.status, 60)
    seen = person.status()["node"]["k3s"]
    assert (str(seen["pid"]), seen["kept_by"]) == (stock.main_pid(host), "systemd")
    assert person.status()["site"]["adopted"] is True
    assert lasting(of_k3s(person)) == lasting(before)
    assert person.asks("adopt", "--yes").code == Exit.OK  # again: nothing to do


def test_down_and_up_use_its_own_unit(person: Person, before: dict[str, str]) -> None:
    host = person.host
    assert isinstance(host, BootedHost)
    assert person.asks("down").code == Exit.OK
    assert stock.main_pid(host) == "0"
    done = person.asks("up", timeout=400)
    assert done.code == Exit.OK, done
    stock.await_ready(host)
    assert lasting(of_k3s(person)) == lasting(before)


def test_it_is_given_back_to_the_byte_and_runs_on(
    person: Person, objects_before: dict[str, str], before: dict[str, str]
) -> None:
    running = of_k3s(person)
    done = person.asks("leave", "--yes")
    assert done.code == Exit.OK, done
    now = of_k3s(person)
    assert now == running
    assert lasting(now) == lasting(before)

    def differences() -> dict[str, tuple[str | None, str | None]]:
        after = uids(person)
        both = objects_before.keys() | after.keys()
        return {
            key: (objects_before.get(key), after.get(key))
            for key in both
            if objects_before.get(key) != after.get(key)
        }

    until(lambda: not differences(), differences, 60)  # a namespace takes a while to go
    assert person.asks("up").finding["code"] == "foreign-k3s"
    assert json.loads(person.kubectl("get", "configmap", "recipe", "-o", "json").ok().stdout)["data"] == {
        "steps": "mix"
    }


@pytest.fixture(scope="module")
def new(lab: Lab, person: Person, carried: Carried) -> Iterator[Person]:
    """Bare hardware, and the stick and the key in a person's hand; the old box is dead."""
    person.host.power_cut()
    with new_hardware(lab, carried) as made:
        yield made


def test_on_new_hardware_what_becomes_different_is_named_first(new: Person) -> None:
    planned = new.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--plan")
    assert planned.code == Exit.REFUSED, planned
    drift = {one["name"]: one for one in planned.document["drift"]}
    assert "old machine" in drift["default-local-storage-path"]["means"]
    assert (drift["write-kubeconfig-mode"]["present"], drift["write-kubeconfig-mode"]["wanted"]) == (
        "0640",
        "0600",
    )
    assert planned.document["backup"]["left_out"] == ["/srv/volumes (volumes outside of k3s' own place)"]
    assert not {"tls-san", "node-label", "cluster-cidr", "disable"} & drift.keys()
    assert "secret-of-years" not in str(planned)
    refused = new.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--yes")
    assert (refused.code != Exit.OK, refused.finding["code"]) == (True, "backup-settings-lost"), refused
    assert new.host.run(["ls", "/etc/rancher/k3s"]).stdout.split() == ["config.yaml.d"]


def test_new_hardware_becomes_the_same_site_set_up_by_archipel(new: Person, carried: Remembered) -> None:
    words = ["restore", STICK, "--from-key", KEY, "--images", IMAGES, "--drop-settings", "--yes"]
    done = new.asks(*words, timeout=500)
    assert done.code == Exit.OK, (str(done), new.types("logs", "k3s", "-n", "40").stdout)
    until(lambda: len(new.ready_nodes()) == 1, new.status, 120)
    assert new.status()["site"]["adopted"] is False
    assert new.host.run(["sha256sum", AUTHORITY]).ok().stdout == carried.authority
    assert "secret-of-years" in new.host.run(["cat", "/var/lib/rancher/k3s/server/token"]).ok().stdout

    def lost() -> dict[str, tuple[str, str | None]]:
        now = uids(new)
        kept = {key: one for key, one in carried.objects.items() if "archipel" not in key}
        return {key: (one, now.get(key)) for key, one in kept.items() if now.get(key) != one}

    until(lambda: not lost(), lost, 60)
    certificate = ["openssl", "s_client", "-connect", "127.0.0.1:6443"]
    shown = new.host.run(
        ["sh", "-c", f"{' '.join(certificate)} </dev/null | openssl x509 -noout -ext subjectAltName"]
    )
    assert "old.example" in shown.stdout, shown
    read = new.kubectl("get", "secret", "login", "-o", "jsonpath={.data.word}").ok().stdout
    assert base64.b64decode(read) == b"readable-before"

    def problems() -> list[dict[str, Any]]:
        return [one for one in new.findings().values() if one["severity"] == "problem"]

    until(lambda: not problems(), problems, 120)  # its pods are made anew, and take a while
