"""A booted machine with etcd, whose agent is confined by its unit: backed up onto a stick, drilled, restored on another one.

What light hosts cannot show: writing to a stick from inside the sandbox, a snapshot taken from there, and the reset of etcd
in a unit of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from archipel_contract.exits import Exit
from tests.e2e.carrying import KEY, STICK, Carried, new_hardware
from tests.e2e.person import Person, until
from tests.hosts.booted import BootedHost
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


@dataclass
class Remembered(Carried):
    """And by what an object of the old machine is known again."""

    uid: str = ""


@pytest.fixture(scope="module")
def carried() -> Remembered:
    """Nothing yet."""
    return Remembered()


@pytest.fixture(scope="module")
def old(booted: BootedHost) -> Person:
    """A site whose datastore is etcd, under systemd, with the product installed."""
    booted.install_archipel().ok()
    before = booted.run(["cat", K3S_DROP_IN]).stdout.rstrip()
    booted.put(f"{before}\ncluster-init: true\n".encode(), K3S_DROP_IN)
    person = Person(booted)
    done = person.up("--name", "Halle 3", "--node-name", "press-7", "--images", IMAGES)
    assert done.code == Exit.OK, done
    person.kubectl("create", "configmap", "recipe", "--from-literal=steps=mix").ok()
    return person


@pytest.fixture(scope="module")
def new(lab: Lab, old: Person, carried: Carried) -> Iterator[Person]:
    """Another machine under systemd, with stick and key."""
    old.host.power_cut()
    with new_hardware(lab, carried) as made:
        yield made


def test_a_confined_agent_seals_a_snapshot_onto_a_stick(old: Person, carried: Remembered) -> None:
    carried.uid = {one["metadata"]["name"]: one["metadata"]["uid"] for one in old.objects("configmaps")}[
        "recipe"
    ]
    carried.take(old)
    line = next(one for one in old.types("status").stdout.splitlines() if one.startswith("  backup"))
    assert "opens with a key: 1 of the owner, never drilled" in line


def test_a_confined_agent_drills_it(old: Person, carried: Remembered) -> None:
    carried.show_key(old)
    done = old.asks("backup", "drill", STICK, "--from-key", KEY)
    assert done.code == Exit.OK, done


def test_another_machine_under_systemd_becomes_the_site(new: Person, carried: Remembered) -> None:
    planned = new.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--plan")
    assert (planned.code, planned.document["backup"]["datastore"]) == (Exit.OK, "etcd"), planned
    done = new.asks("restore", STICK, "--from-key", KEY, "--images", IMAGES, "--yes", timeout=500)
    assert done.code == Exit.OK, (str(done), new.types("logs", "k3s", "-n", "40").stdout)
    until(lambda: new.ready_nodes() == ["press-7"], new.status, 120)
    found = {one["metadata"]["name"]: one["metadata"]["uid"] for one in new.objects("configmaps")}
    assert found["recipe"] == carried.uid
