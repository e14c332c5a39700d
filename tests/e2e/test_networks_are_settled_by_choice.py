"""The story of a machine in a plant: several networks, one of them where k3s wants its own, no way out, a name with
capitals. Nothing is guessed; what was refused works once it was chosen. One light host, read from top to bottom.
"""

import ipaddress
import re

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, from_checkout
from tests.hosts.offers import IMAGES
from tests.hosts.plain import PlainHost

STORY = True
pytestmark = [pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.own_network]


@pytest.fixture(scope="module")
def person(plain: PlainHost) -> Person:
    """Somebody at a machine with three networks, `Edge-01`, without a default route."""
    plain.add_nic("plant0", "172.20.0.5/24")
    plain.add_nic("plant1", "10.42.7.5/24")
    plain.run(["hostname", "Edge-01"]).ok()
    plain.run(["ip", "route", "delete", "default"]).ok()
    return Person(plain, from_checkout())


def test_several_networks_without_a_choice_are_refused_with_the_commands_that_choose(person: Person) -> None:
    refused = person.up()
    assert refused.code == Exit.REFUSED, refused
    assert refused.finding["code"] == "address-choice"
    for name in ("eth0", "plant0", "plant1"):
        assert any(f"sudo archipel up --interface {name}" in line for line in refused.finding["evidence"])
    assert refused.finding["params"]["command"].startswith("sudo archipel up --interface ")


def test_an_interface_that_is_not_there_is_refused_with_those_that_are(person: Person) -> None:
    refused = person.up("--interface", "eth7")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "interface-absent")
    assert "plant0" in refused.finding["params"]["interfaces"]


def test_a_plant_network_that_overlaps_is_refused_with_networks_that_are_free(person: Person) -> None:
    refused = person.up("--interface", "eth0")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "network-overlap"), refused
    assert "10.42.7.0/24 (plant1)" in refused.finding["params"]["used"]
    assert proposed(refused.finding["params"]["command"])


def proposed(command: str) -> list[str]:
    """The options of a proposed command, if the networks in them are free here."""
    found = re.search(r"--cluster-cidr (\S+) --service-cidr (\S+)", command)
    assert found, command
    pods, services = (ipaddress.ip_network(text) for text in found.groups())
    plant = [ipaddress.ip_network(text) for text in ("10.199.0.0/24", "172.20.0.0/24", "10.42.7.0/24")]
    assert not pods.overlaps(services)
    assert not any(one.overlaps(pods) or one.overlaps(services) for one in plant)
    return found[0].split()


def test_the_choice_and_the_proposed_networks_make_it_a_site_without_a_default_route(person: Person) -> None:
    command = person.up("--interface", "eth0").finding["params"]["command"]
    address = person.host.ip
    up = person.up("--interface", "eth0", "--node-ip", address, *proposed(command), "--images", IMAGES)
    assert up.code == Exit.OK, up
    assert person.ready_nodes() == ["edge-01"]
    (node,) = person.objects("nodes")
    assert {one["type"]: one["address"] for one in node["status"]["addresses"]}["InternalIP"] == address
    pods = ipaddress.ip_network(proposed(command)[1])
    inside = [one["status"]["podIP"] for one in person.objects("pods")]
    assert inside
    assert all(ipaddress.ip_address(one) in pods for one in inside)
    codes = {code: found["severity"] for code, found in person.findings().items()}
    assert codes.get("no-default-route") == "hint"
    assert "problem" not in codes.values()


def test_what_a_site_has_settled_stays_and_asking_for_another_is_refused(person: Person) -> None:
    refused = person.up("--interface", "plant0")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "site-settled"), refused
    assert refused.finding["params"]["kept"] == "eth0"
    assert person.ready_nodes() == ["edge-01"]


def test_down_and_up_again_end_and_start_all_of_it(person: Person) -> None:
    down = person.asks("down")
    assert down.code == Exit.OK, down
    assert person.processes("containerd-shim-runc-v2") == []
    assert set(person.host.links()) == {"lo", "eth0", "plant0", "plant1"}
    up = person.up()
    assert up.code == Exit.OK, up
    assert person.ready_nodes() == ["edge-01"]
