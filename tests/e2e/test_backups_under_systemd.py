"""A booted machine with etcd, whose agent is confined by its unit: backed up onto a stick, drilled, restored on another one.

What light hosts cannot show: writing to a stick from inside the sandbox, a snapshot taken from there, and the reset of etcd
in a unit of its own.
"""

import base64
from collections.abc import Iterator

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, until
from tests.hosts import requirements
from tests.hosts.booted import BootedHost
from tests.hosts.fixtures import skip_without
from tests.hosts.lab import Lab
from tests.hosts.offers import IMAGES, K3S_DROP_IN

STORY = True
pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.booted,
    pytest.mark.own_network,
    pytest.mark.prove,
    pytest.mark.timeout(900),
]

STICK, KEY = "/media/stick", "/media/safe/recovery.key"


class Sticks:
    """What the person carries from one machine to the other."""

    def __init__(self) -> None:
        self.secret, self.name, self.sealed, self.uid = "", "", b"", ""


@pytest.fixture(scope="module")
def carried() -> Sticks:
    """Nothing yet."""
    return Sticks()


@pytest.fixture(scope="module")
def old(lab: Lab) -> Iterator[Person]:
    """A site whose datastore is etcd, under systemd, with the product installed."""
    skip_without(requirements.missing_for_booted())
    skip_without(requirements.missing_for_k3s())
    with BootedHost("edge", lab) as host:
        _prepare(host)
        before = host.run(["cat", K3S_DROP_IN]).stdout.rstrip()
        host.put(f"{before}\ncluster-init: true\n".encode(), K3S_DROP_IN)
        person = Person(host)
        done = person.up("--name", "Halle 3", "--node-name", "press-7", "--images", IMAGES)
        assert done.code == Exit.OK, done
        person.kubectl("create", "configmap", "recipe", "--from-literal=steps=mix").ok()
        yield person


@pytest.fixture(scope="module")
def new(lab: Lab, old: Person, carried: Sticks) -> Iterator[Person]:
    """Another machine under systemd, with stick and key."""
    old.host.power_cut()
    with BootedHost("fresh", lab) as host:
        _prepare(host)
        host.put(carried.sealed, f"{STICK}/{carried.name}")
        host.put(carried.secret.encode(), KEY, 0o600)
        yield Person(host)


def _prepare(host: BootedHost) -> None:
    host.offer_k3s()
    host.offer_images()
    host.allow()
    host.install_archipel().ok()
    host.run(["mkdir", "-p", STICK]).ok()


def test_a_confined_agent_seals_a_snapshot_onto_a_stick(old: Person, carried: Sticks) -> None:
    carried.uid = {one["metadata"]["name"]: one["metadata"]["uid"] for one in old.objects("configmaps")}[
        "recipe"
    ]
    carried.secret = old.asks("backup", "key", "new").document["secret"]
    done = old.asks("backup", "now", "--to", STICK)
    assert done.code == Exit.OK, (str(done), old.types("logs", "agent", "-n", "40").stdout)
    (listed,) = old.asks("backup", "list", "--to", STICK).document["backups"]
    carried.name = listed["name"]
    carried.sealed = base64.b64decode(old.host.run(["base64", "-w0", f"{STICK}/{carried.name}"]).ok().stdout)
    line = next(one for one in old.types("status").stdout.splitlines() if one.startswith("  backup"))
    assert "opens with a key: 1 of the owner, never drilled" in line


def test_a_confined_agent_drills_it(old: Person, carried: Sticks) -> None:
    old.host.put(carried.secret.encode(), KEY, 0o600)
    done = old.asks("backup", "drill", STICK, "--from-key", KEY)
    assert done.code == Exit.OK, done


def test_another_machine_under_systemd_becomes_the_site(new: Person, carried: Sticks) -> None:
    planned = new.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--plan")
    assert (planned.code, planned.document["backup"]["datastore"]) == (Exit.OK, "etcd"), planned
    done = new.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--yes", timeout=500)
    assert done.code == Exit.OK, (str(done), new.types("logs", "k3s", "-n", "40").stdout)
    until(lambda: new.ready_nodes() == ["press-7"], new.status, 120)
    found = {one["metadata"]["name"]: one["metadata"]["uid"] for one in new.objects("configmaps")}
    assert found["recipe"] == carried.uid
