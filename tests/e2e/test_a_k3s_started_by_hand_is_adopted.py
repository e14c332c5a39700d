"""The story of a k3s that somebody started by hand years ago: adopted as it runs, looked after, and given back.

It is the same process all along, with the same containers, and none of its files has another byte. One light host.
"""

import time
from collections.abc import Iterator

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, from_checkout
from tests.hosts.offers import K3S
from tests.hosts.plain import PlainHost

STORY = True
pytestmark = [pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.own_network]

SETTINGS = (
    "disable:\n  - traefik\n  - metrics-server\ncluster-cidr: 10.62.0.0/16\nservice-cidr: 10.63.0.0/16\n"
)
OFF = [
    "--disable",
    "servicelb",
    "--disable=local-storage",
    "--tls-san",
    "old.example",
    "--token",
    "secret-of-years",
]
START_SECONDS = 150
STICK, KEY = "/tmp/stick", "/tmp/recovery.key"
# Places of k3s, its owner and the machine; what k3s itself writes all the time as it runs is left out.
KEPT = (
    "find /etc/rancher /etc/sysctl.d /var/lib/rancher/k3s/server/manifests /var/lib/rancher/k3s/server/tls"
    " /var/lib/rancher/k3s/agent/etc -type f | sort | xargs sha256sum"
)


@pytest.fixture(scope="module")
def person(plain: PlainHost) -> Iterator[Person]:
    """Somebody at a machine on which k3s runs that they started themselves."""
    plain.put(SETTINGS.encode(), "/etc/rancher/k3s/config.yaml", 0o600)
    plain.offer_images("/var/lib/rancher/k3s/agent/images")
    started = plain.spawn([K3S, "server", *OFF])
    made = Person(plain, from_checkout())
    deadline = time.monotonic() + START_SECONDS
    ready = ["get", "node", "-o", "jsonpath={.items[0].status.conditions[?(@.type=='Ready')].status}"]
    while made.kubectl(*ready).stdout != "True":
        assert time.monotonic() < deadline, started.output()[-3000:]
        time.sleep(1.0)
    while "1/1" not in made.kubectl("-n", "kube-system", "get", "pods").stdout:
        assert time.monotonic() < deadline, made.kubectl("get", "pods", "-A").stdout
        time.sleep(1.0)
    yield made
    started.stop()


def of_k3s(person: Person) -> dict[str, str]:
    """What must not change: its process, its containers, its files."""
    pods = "{range .items[*]}{.metadata.name} {.status.containerStatuses[*].containerID}{end}"
    return {
        "pid": person.host.run(["pgrep", "-x", "k3s-server"]).stdout,
        "containers": person.kubectl("get", "pods", "-A", "-o", f"jsonpath={pods}").stdout,
        "files": person.host.run(["sh", "-c", KEPT]).stdout,
    }


@pytest.fixture(scope="module")
def before(person: Person) -> dict[str, str]:
    """How it was before anything of ours was run."""
    seen = of_k3s(person)
    assert seen["pid"].strip().isdigit(), seen
    assert "containerd://" in seen["containers"]
    return seen


def test_up_leaves_it_alone_and_names_adopt(person: Person, before: dict[str, str]) -> None:
    refused = person.up()
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "foreign-k3s"), refused
    assert of_k3s(person) == before


def test_the_plan_says_how_it_differs_and_shows_no_secret(person: Person) -> None:
    plan = person.asks("adopt", "--plan")
    assert plan.code == Exit.OK, plan
    drift = {one["name"]: one for one in plan.document["drift"]}
    assert (drift["cluster-cidr"]["present"], drift["cluster-cidr"]["later"]) == ("10.62.0.0/16", "never")
    assert drift["tls-san"]["present"] == "old.example"
    assert drift["secrets-encryption"]["later"] == "restart"
    assert "secret-of-years" not in str(plan)


def test_it_is_adopted_as_it_runs(person: Person, before: dict[str, str]) -> None:
    done = person.asks("adopt", "--yes", "--name", "Old box")
    assert done.code == Exit.OK, done
    assert of_k3s(person) == before
    seen = person.status()["node"]["k3s"]
    assert (seen["state"], seen["kept_by"]) == ("running", "hand"), seen
    assert seen["pid"] == int(before["pid"])


def test_it_is_looked_after_and_the_drift_is_a_hint(person: Person) -> None:
    found = person.findings()
    assert found["site-adopted-drift"]["severity"] == "hint"
    assert not [
        one for one in found.values() if one["severity"] == "problem" and one["code"].startswith("k3s-")
    ], found
    listed = person.asks("adopt", "--drift")
    assert {"cluster-cidr", "disable", "tls-san"} & {one["name"] for one in listed.document} == {
        "cluster-cidr",
        "tls-san",
    }


def test_what_would_end_or_change_it_is_refused(person: Person, before: dict[str, str]) -> None:
    for words in (["down"], ["remove", "--everything", "--yes"]):
        refused = person.asks(*words)
        assert refused.code == Exit.REFUSED, refused
        assert refused.finding["code"] in ("adopted-by-hand", "adopted-not-ours")
    assert person.asks("up").code == Exit.OK
    assert of_k3s(person) == before


def test_it_is_backed_up_and_only_read(person: Person, before: dict[str, str]) -> None:
    person.host.run(["mkdir", "-p", STICK]).ok()
    secret = person.asks("backup", "key", "new").document["secret"]
    person.host.put(secret.encode(), KEY, 0o600)
    done = person.asks("backup", "now", "--to", STICK)
    assert done.code == Exit.OK, done
    assert of_k3s(person) == before
    drilled = person.asks("backup", "drill", STICK, "--from-key", KEY)
    assert drilled.code == Exit.OK, drilled
    refused = person.asks("restore", STICK, "--from-key", KEY, "--aside", "--yes")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "adopted-not-ours"), refused
    assert of_k3s(person) == before


def test_it_is_given_back_to_the_byte(person: Person, before: dict[str, str]) -> None:
    done = person.asks("leave", "--yes")
    assert done.code == Exit.OK, done
    assert of_k3s(person) == before
    assert "archipel-system" not in person.kubectl("get", "namespaces").stdout or "Terminating" in (
        person.kubectl("get", "namespaces").stdout
    )
    assert person.asks("up").finding["code"] == "foreign-k3s"
