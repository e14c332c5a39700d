"""A box in a cabinet is switched on with a stick in it and no network at all: it becomes a site with nobody typing, waits
for its fleet in plain words, and lets in what is declared. One booted host, read from top to bottom.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cabinet import ANSWERS, SLOT, Cabinet, prepared_stick
from tests.e2e.person import until
from tests.hosts.booted import BootedHost
from tests.hosts.lab import Lab

STORY = True
pytestmark = [
    pytest.mark.booted,
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.timeout(300),
]

TOKEN = "7k2m9qxf.00000000000000000000000000.00000000000000000000000000"
TEXT = f"""\
# Written at a desk, for a box in a cabinet.
format = 1

[site]
name = "Hall 3"
node_name = "edge-07"
components = ["coredns"]

[k3s]
bundle = "."   # the newest beside this file

[fleet]
link = "https://10.199.0.1:8471/#{TOKEN}"
"""
UNDECLARED = 8099


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stick with a bundle and an answer file."""
    return prepared_stick(tmp_path_factory.mktemp("stick"), TEXT)


@pytest.fixture(scope="module")
def box(lab: Lab, stick: Path) -> Iterator[Cabinet]:
    """The box, switched on without a cable; k3s is only on the stick."""
    with BootedHost("edge", lab) as host:
        made = Cabinet.with_stick(host, stick)
        made.has_done("up")
        yield made


@pytest.fixture(scope="module")
def restarted(box: Cabinet) -> Cabinet:
    """The same box after a restart."""
    box.box.reboot()
    return box


def serves(box: Cabinet) -> None:
    """Something that nobody declared listens on the box."""
    box.host.run(["systemd-run", "--quiet", "python3", "-m", "http.server", str(UNDECLARED)]).ok()
    until(lambda: bool(box.processes("python3")), lambda: "no server", 10)


def test_without_any_network_it_becomes_a_ready_site_with_nobody_typing(box: Cabinet) -> None:
    box.is_well()
    report = box.status()
    assert report["site"]["name"] == "Hall 3"
    assert "cable-out" in box.findings()


def test_its_archives_take_their_room_once_and_one_unit_outside_the_sandbox_sees_to_that(
    box: Cabinet,
) -> None:
    archives = ["find", "/var/lib/rancher/k3s/agent/images", "-name", "*.tar*", "-printf", "%n\\n"]
    names = box.host.run(archives).ok().stdout.split()
    assert len(names) > 1
    assert set(names) == {"2"}
    said = box.host.run(["journalctl", "--no-pager", "--output=cat", "--unit=archipel-share-*"]).ok().stdout
    assert sum(line.startswith("Started ") for line in said.splitlines()) == 1, said


def test_the_stick_says_that_the_fleet_is_waited_for_and_its_secret_is_gone(box: Cabinet) -> None:
    assert box.result()["waits_for"] == ["enrolled"]
    left = box.host.get(f"{SLOT}/{ANSWERS}").decode()
    assert TOKEN.rpartition(".")[2] not in left and 'name = "Hall 3"' in left
    assert TOKEN.rpartition(".")[2] not in json.dumps(box.result())


def test_a_firewall_lets_in_what_is_declared_and_is_kept_once_confirmed(box: Cabinet) -> None:
    box.host.heal_network()
    serves(box)
    until(lambda: box.lets_in(UNDECLARED), lambda: "the server is not reached", 20)
    box.tells("firewall", "on")
    until(lambda: not box.lets_in(UNDECLARED) and box.lets_in(6443), box.said, 20)
    box.tells("firewall", "confirm")


def test_after_a_restart_it_is_loaded_again(restarted: Cabinet) -> None:
    until(lambda: restarted.lets_in(6443), restarted.said, 60)
    serves(restarted)
    assert not restarted.lets_in(UNDECLARED)
    active = restarted.host.run(["systemctl", "is-active", "archipel-firewall.service"])
    assert active.stdout.strip() == "active"
    restarted.is_well()


def test_switched_off_nothing_of_the_firewall_stays(restarted: Cabinet) -> None:
    box = restarted
    box.tells("firewall", "off")
    assert box.lets_in(UNDECLARED)
    assert "archipel" not in box.host.run(["nft", "list", "tables"]).ok().stdout
    units = box.host.run(["find", "/etc/systemd/system", "/etc/archipel", "-name", "*firewall*"]).ok().stdout
    assert units.split() in ([], ["/etc/archipel/firewall.conf"])
