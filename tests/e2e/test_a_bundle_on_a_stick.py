"""A machine with no k3s, no images and no way out becomes a site from one file on a stick; a bad file changes nothing.

One light host without a default route, read from top to bottom. The bundle is built by the command, from the real k3s.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from tests.e2e.maker import make_bundle
from tests.e2e.person import SMALL, Person, from_checkout, until
from tests.hosts import requirements
from tests.hosts.offers import IMAGES, K3S
from tests.hosts.plain import PlainHost

STORY = True
# In `make test` the story of the box in a cabinet sets a site up from a bundle; this one looks closer.
pytestmark = [
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.prove,
]

STICK = "/media/stick"
FILE = f"{STICK}/edge.archipel-bundle"
NEEDED = ("pause", "coredns")  # what a site without further components runs


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle from the real k3s and its images, with the key beside it."""
    return make_bundle(tmp_path_factory.mktemp("bundle"), NEEDED)


@pytest.fixture(scope="module")
def person(plain: PlainHost, bundle: Path) -> Iterator[Person]:
    """Somebody at a machine with nothing but the product and a stick."""
    plain.run(["rm", "-r", K3S, IMAGES]).ok()
    plain.run(["ip", "route", "del", "default"]).ok()
    plain.put(bundle, FILE)
    yield Person(plain, from_checkout())


def test_without_the_makers_key_the_bundle_is_refused_and_nothing_is_changed(
    person: Person, bundle: Path
) -> None:
    refused = person.up("--bundle", STICK)
    assert refused.code == Exit.REFUSED, refused
    assert refused.finding["code"] == "bundle-untrusted"
    assert person.host.run(["ls", K3S]).rc != 0
    key = bundle.with_name("maker.pub").read_bytes()
    person.host.put(key, "/etc/archipel/bundle-keys/maker.pub")


def test_up_with_the_stick_makes_a_site_without_any_way_out(person: Person, bundle: Path) -> None:
    done = person.types("up", "--bundle", STICK, *SMALL, timeout=180)
    assert done.rc == Exit.OK, f"{done.stdout}\n{done.stderr}"
    assert person.host.run(["ip", "route", "show", "default"]).ok().stdout == ""
    until(lambda: any(name.startswith("coredns-") for name in person.running_pods()), person.containers)
    assert len(person.ready_nodes()) == 1
    k3s = requirements.k3s_binary()
    assert k3s is not None
    wanted = hashlib.sha256(k3s.read_bytes()).hexdigest()
    assert person.host.run(["sha256sum", K3S]).ok().stdout.startswith(wanted)
    remembered = person.host.run(["cat", "/var/lib/rancher/k3s/agent/images/.cache.json"]).ok().stdout
    assert "coredns" in remembered, remembered  # k3s does not import them all again at each start
    (held,) = person.asks("bundle", "list").document["bundles"]
    assert {one["kind"] for one in held["files"]} == {"k3s", "k3s-images", "sbom"}


def test_a_stick_whose_bundle_was_altered_is_refused_and_the_site_runs_on(
    person: Person, bundle: Path
) -> None:
    before, pods = person.status()["node"]["k3s"]["pid"], person.running_pods()
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    person.host.put(bytes(data), FILE)
    # What is here whole is not read again, so only what a machine lacks can be wrong on a stick: it must lack it.
    person.host.run(["rm", "-r", "/var/lib/archipel/bundles"]).ok()
    person.host.run(["rm", "-r", "/var/lib/rancher/k3s/agent/images"]).ok()
    person.host.run(["mv", K3S, f"{K3S}.aside"]).ok()
    refused = person.asks("bundle", "import", FILE)
    person.host.run(["mv", f"{K3S}.aside", K3S]).ok()
    assert refused.code == Exit.REFUSED, refused
    assert refused.finding["code"] == "bundle-damaged"
    assert person.status()["node"]["k3s"]["pid"] == before
    assert person.running_pods() == pods
    assert person.host.run(["ls", "/var/lib/archipel/bundles"]).rc != 0
