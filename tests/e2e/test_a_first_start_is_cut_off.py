"""The power goes during the first `up`, at moments at which k3s has just written what it never flushes: it goes on alone.

A host of its own for each moment, because only a first start makes those files. The disk loses what was not written out.
"""

import time
from collections.abc import Iterator

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import SMALL, Person, until
from tests.hosts.booted import BootedHost
from tests.hosts.lab import Lab
from tests.hosts.offers import IMAGES

pytestmark = [
    pytest.mark.prove,
    pytest.mark.booted,
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.timeout(600),
]
# Steps of `up` as they are shown, and the seconds from the end of each to the cut.
MOMENTS = (
    ("Have k3s unpack itself", 0.3),
    ("Make k3s a service", 0.0),
    ("Start Kubernetes", 0.3),
    ("Start Kubernetes", 2.0),
    ("Start Kubernetes", 4.0),
    ("Wait for the API", 0.0),  # its own files are flushed, images and programs are not
    ("Wait for the API", 1.0),
    ("Wait for the node", 0.0),
    ("Wait for the node", 3.0),
)


@pytest.fixture
def bare() -> Iterator[Person]:
    """Somebody at a machine that is installed and no site yet."""
    with Lab() as lab, BootedHost("edge", lab) as host:
        host.offer_k3s()
        host.offer_images(IMAGES)
        host.allow()
        host.install_archipel().ok()
        host.settle()
        host.run(["sync"]).ok()
        yield Person(host)


@pytest.mark.parametrize(("step", "after"), MOMENTS, ids=[f"{step}, {after:g}" for step, after in MOMENTS])
def test_it_goes_on_by_itself_when_the_power_is_back(bare: Person, step: str, after: float) -> None:
    up = bare.host.spawn(["archipel", "up", "--yes", "--images", IMAGES, *SMALL])
    deadline = time.monotonic() + 120
    while f"+ {step}" not in up.output():
        assert up.rc is None and time.monotonic() < deadline, up.output()
        time.sleep(0.02)
    time.sleep(after)
    bare.host.power_cut()
    bare.host.boot()
    took = until(lambda: bare.asks("status", "--fresh").code == Exit.OK, bare.status, 240)
    print(f"cut {after:g} s after {step!r}: well {took:.1f} s after systemd")
    assert bare.ready_nodes() == [bare.host.name]
    assert not {"k3s-files-empty", "k3s-bundle-damaged"} & set(bare.findings())
    job = bare.asks("agent", "jobs").document["jobs"][0]
    assert (job["verb"], job["state"]) == ("up", "succeeded"), job["sentence"]
