"""The checks of names, addresses, routes, networks, name servers and ports."""

from dataclasses import replace

import pytest

from archipel_agent.checks import (
    address_changed,
    default_route,
    name_servers,
    network_overlap,
    node_address,
    node_name,
)
from archipel_agent.checks.addresses import Network, free_pair
from archipel_agent.checks.base import Evidence, Wishes
from archipel_contract.facts import Nic, Route
from archipel_contract.findings import Severity, Verdict
from tests.agent.checks.machines import BLIND, ETH0, FRESH, GOOD, LOOPBACK, PI, only, with_facts, with_log

WLAN0 = Nic(name="wlan0", up=True, carrier=True, addresses=("10.1.2.3/16",))
DOCKER = Nic(name="docker0", up=True, addresses=("172.17.0.1/16",), virtual=True)


def wishing(**wishes: str) -> Evidence:
    return replace(FRESH, wishes=Wishes(**wishes))


def test_a_hostname_that_is_a_valid_name_passes() -> None:
    assert node_name.look(FRESH).said == "edge-07"


def test_a_hostname_with_capitals_gets_a_proposal_and_stops_nothing() -> None:
    finding = only(node_name.look(with_facts(FRESH, hostname="Halle3_LinieB")))
    assert (finding.code, finding.severity) == ("hostname-changed", Severity.HINT)
    assert finding.params["proposal"] == "halle3-linieb"


def test_a_wished_name_that_is_invalid_is_refused_with_a_command() -> None:
    finding = only(node_name.look(wishing(node_name="Edge 7")))
    assert (finding.code, finding.severity) == ("node-name-invalid", Severity.PROBLEM)
    assert finding.next_step.endswith("sudo archipel up --node-name edge-7")


def test_a_valid_wish_makes_the_hostname_irrelevant() -> None:
    assert node_name.look(with_facts(wishing(node_name="edge-8"), hostname="BAD_")).verdict is Verdict.OK


def test_an_unread_hostname_is_not_decided() -> None:
    assert node_name.look(BLIND).verdict is Verdict.UNDECIDED


def test_one_usable_address_is_no_choice() -> None:
    assert node_address.look(with_facts(FRESH, nics=(LOOPBACK, ETH0, DOCKER))).said == "eth0 192.168.4.27"


def test_several_addresses_are_listed_each_with_its_command() -> None:
    finding = only(node_address.look(with_facts(FRESH, nics=(ETH0, WLAN0))))
    assert finding.code == "address-choice"
    assert finding.params["choices"] == "eth0 192.168.4.27, wlan0 10.1.2.3"
    assert finding.evidence == (
        "eth0 192.168.4.27: sudo archipel up --interface eth0",
        "wlan0 10.1.2.3: sudo archipel up --interface wlan0",
    )


def test_two_addresses_of_one_interface_are_told_apart_by_address() -> None:
    both = replace(ETH0, addresses=("192.168.4.27/24", "10.9.0.5/24"))
    finding = only(node_address.look(with_facts(FRESH, nics=(both,))))
    assert finding.params["command"] == "sudo archipel up --node-ip 192.168.4.27"


@pytest.mark.parametrize("wish", [{"interface": "wlan0"}, {"node_ip": "10.1.2.3"}])
def test_a_wish_settles_the_choice(wish: dict[str, str]) -> None:
    evidence = with_facts(wishing(**wish), nics=(ETH0, WLAN0))
    assert node_address.look(evidence).said == "wlan0 10.1.2.3"


def test_a_software_interface_is_taken_only_when_asked_for() -> None:
    nics = (ETH0, DOCKER)
    assert node_address.look(with_facts(wishing(interface="docker0"), nics=nics)).said == "docker0 172.17.0.1"


def test_a_wished_interface_that_is_not_there_is_answered_with_those_that_are() -> None:
    finding = only(node_address.look(wishing(interface="eth9")))
    assert (finding.code, finding.params["interfaces"]) == ("interface-absent", "eth0")


def test_a_wished_address_that_is_not_there_is_answered_with_those_that_are() -> None:
    finding = only(node_address.look(wishing(node_ip="192.168.4.99")))
    assert (finding.code, finding.params["present"]) == ("address-absent", "eth0 192.168.4.27")


def test_a_wished_interface_without_an_address_is_named() -> None:
    bare = replace(WLAN0, addresses=("169.254.3.4/16",))
    finding = only(node_address.look(with_facts(wishing(interface="wlan0"), nics=(ETH0, bare))))
    assert finding.code == "interface-without-address"


def test_a_machine_without_any_address_says_what_each_interface_does() -> None:
    finding = only(
        node_address.look(with_facts(FRESH, nics=(LOOPBACK, replace(ETH0, up=False, carrier=None))))
    )
    assert (finding.code, finding.evidence) == ("address-none", ("eth0 (down)",))


def test_an_address_whose_cable_is_out_counts_where_no_other_is() -> None:
    unplugged = replace(ETH0, up=False, carrier=False)
    assert node_address.look(with_facts(FRESH, nics=(LOOPBACK, unplugged))).said == "eth0 192.168.4.27"
    assert (
        node_address.look(with_facts(FRESH, nics=(unplugged, WLAN0))).said
        == node_address.look(with_facts(FRESH, nics=(WLAN0,))).said
    )


def test_a_site_keeps_its_address_however_many_there_are() -> None:
    evidence = with_facts(replace(FRESH, site=GOOD.site), nics=(ETH0, WLAN0))
    assert node_address.look(evidence).verdict is Verdict.OK


def test_unread_interfaces_are_not_decided() -> None:
    assert node_address.look(BLIND).verdict is Verdict.UNDECIDED
    assert address_changed.look(with_facts(GOOD, nics=())).verdict is Verdict.UNDECIDED
    assert address_changed.look(BLIND).verdict is Verdict.UNDECIDED


def test_a_site_with_its_address_in_place_passes() -> None:
    assert address_changed.look(GOOD).said == "eth0 192.168.4.27"


@pytest.mark.parametrize(
    ("nic", "code"),
    [
        (replace(ETH0, name="enp1s0"), "interface-gone"),
        (replace(ETH0, addresses=("192.168.4.80/24",)), "address-gone"),
        (replace(ETH0, carrier=False), "cable-out"),
        (replace(ETH0, up=False), "cable-out"),
    ],
)
def test_what_became_of_the_sites_address_is_told_apart(nic: Nic, code: str) -> None:
    finding = only(address_changed.look(with_facts(GOOD, nics=(LOOPBACK, nic))))
    assert finding.code == code
    assert "192.168.4.27" in finding.summary + finding.params["address"]


def test_no_default_route_is_a_hint_that_says_what_it_costs() -> None:
    finding = only(default_route.look(with_facts(FRESH, routes=PI.routes[1:])))
    assert (finding.code, finding.severity) == ("no-default-route", Severity.HINT)


def test_no_route_at_all_on_a_machine_with_an_address_is_no_default_route() -> None:
    assert only(default_route.look(with_facts(FRESH, routes=()))).code == "no-default-route"


def test_a_machine_of_which_neither_routes_nor_addresses_are_known_is_not_decided() -> None:
    assert default_route.look(BLIND).verdict is Verdict.UNDECIDED
    assert default_route.look(FRESH).said == "eth0 192.168.4.1"


@pytest.mark.parametrize(
    "used",
    [
        {"routes": (Route(destination="10.42.7.0/24", interface="eth0"),)},
        {"nics": (replace(ETH0, addresses=("10.43.0.9/16",)),)},
        {"nics": (ETH0, Nic(name="wg0", up=True, virtual=True, addresses=("10.42.9.1/24",)))},
    ],
)
def test_a_plant_that_uses_kubernetes_networks_gets_free_ones_as_a_command(used: dict[str, object]) -> None:
    finding = only(network_overlap.look(with_facts(FRESH, **used)))
    assert finding.code == "network-overlap"
    command = "sudo archipel up --cluster-cidr 10.52.0.0/16 --service-cidr 10.53.0.0/16"
    assert finding.next_step.endswith(command)


def test_a_plant_that_routes_all_of_10_gets_networks_outside_of_it() -> None:
    routes = (Route(destination="10.0.0.0/8", interface="eth0"),)
    finding = only(network_overlap.look(with_facts(FRESH, routes=routes)))
    assert "--cluster-cidr 172.20.0.0/16 --service-cidr 172.21.0.0/16" in finding.next_step


def test_the_links_k3s_made_itself_are_no_overlap() -> None:
    cni = Nic(name="cni0", up=True, virtual=True, addresses=("10.42.0.1/24",))
    routes = (*PI.routes, Route(destination="10.42.1.0/24", interface="flannel.1"))
    assert network_overlap.look(with_facts(GOOD, nics=(ETH0, cni), routes=routes)).verdict is Verdict.OK


def test_an_overlap_that_came_later_is_a_warning_without_a_command_that_cannot_help() -> None:
    routes = (*PI.routes, Route(destination="10.42.0.0/15", interface="eth0"))
    finding = only(network_overlap.look(with_facts(GOOD, routes=routes)))
    assert (finding.code, finding.severity) == ("network-overlap-late", Severity.WARNING)


def test_wished_networks_that_overlap_each_other_or_are_none_are_refused() -> None:
    clash = wishing(cluster_cidr="10.60.0.0/15", service_cidr="10.61.0.0/16")
    assert only(network_overlap.look(clash)).code == "network-clash"
    wrong = only(network_overlap.look(wishing(cluster_cidr="10.60.0.0/99")))
    assert (wrong.code, wrong.params["network"]) == ("network-invalid", "10.60.0.0/99")


def test_wished_free_networks_pass_where_the_usual_ones_would_not() -> None:
    routes = (Route(destination="10.42.0.0/15", interface="eth0"),)
    evidence = with_facts(wishing(cluster_cidr="10.60.0.0/16", service_cidr="10.61.0.0/16"), routes=routes)
    assert network_overlap.look(evidence).verdict is Verdict.OK


def test_networks_of_a_machine_that_could_not_be_read_are_not_decided() -> None:
    assert network_overlap.look(BLIND).verdict is Verdict.UNDECIDED


def test_when_every_private_network_is_taken_none_is_proposed() -> None:
    assert free_pair([Network("0.0.0.0/1"), Network("128.0.0.0/1")]) is None


@pytest.mark.parametrize("text", ["nameserver 192.168.4.1\n", "nameserver 169.254.169.254\n"])
def test_plain_name_servers_pass(text: str) -> None:
    assert name_servers.look(replace(FRESH, resolv_conf=text)).verdict is Verdict.OK


@pytest.mark.parametrize(
    "text",
    ["nameserver 127.0.0.53\n", "nameserver 192.168.4.1\nnameserver ::1\n", "nameserver fe80::1%eth0\n", ""],
)
def test_one_bad_name_server_makes_the_file_useless_for_pods(text: str) -> None:
    finding = only(name_servers.look(replace(FRESH, resolv_conf=text)))
    assert (finding.code, finding.severity) == ("name-servers-unusable", Severity.WARNING)


def test_the_list_of_systemd_resolved_saves_a_stub_in_resolv_conf() -> None:
    stub = replace(FRESH, resolv_conf="nameserver 127.0.0.53\n", resolv_conf_upstream="nameserver 10.0.0.2\n")
    assert name_servers.look(stub).said == "10.0.0.2"


def test_a_file_the_site_names_is_left_to_the_site() -> None:
    named = replace(FRESH, resolv_conf="nameserver 127.0.0.1\n", k3s_drop_ins="resolv-conf: /etc/x\n")
    assert name_servers.look(named).verdict is Verdict.OK


def test_name_servers_that_cannot_be_read_are_not_decided() -> None:
    assert name_servers.look(BLIND).verdict is Verdict.UNDECIDED
    stub = replace(FRESH, resolv_conf="nameserver 127.0.0.53\n", resolv_conf_upstream=None)
    assert name_servers.look(stub).verdict is Verdict.UNDECIDED


def test_k3s_needing_a_default_route_after_all_is_a_problem() -> None:
    line = 'level=fatal msg="Error: no default routes found in \\"/proc/net/route\\""'
    assert only(default_route.look(with_log(line))).severity is Severity.PROBLEM
