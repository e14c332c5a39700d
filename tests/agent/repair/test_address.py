"""Which address is taken when the site's is gone: the one that is surely meant, or none without being asked."""

from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.checks.addresses import Choice
from archipel_agent.steps import repair_etcd
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import Options
from archipel_agent.steps.repair_address import choose
from archipel_contract.facts import Nic, NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.jobs import Verb
from archipel_contract.site import Network
from tests.agent.backup.machine import site
from tests.agent.checks.machines import PI

WAS = Network(node_ip="192.168.4.27", interface="eth0")
ASKED = Options(code="address-gone")


def with_nics(*nics: tuple[str, str]) -> NodeFacts:
    made = tuple(
        Nic(name=name, up=True, carrier=True, addresses=(f"{address}/24",)) for name, address in nics
    )
    return replace(PI, nics=made)


@pytest.mark.parametrize(
    ("nics", "taken"),
    [
        ([("lan7", "192.168.4.27")], ("lan7", "192.168.4.27")),  # renamed
        ([("eth0", "192.168.4.99")], ("eth0", "192.168.4.99")),  # another lease
        ([("eth0", "192.168.4.99"), ("wlan0", "192.168.9.9")], ("eth0", "192.168.4.99")),
        (
            [("eth1", "192.168.4.27"), ("eth0", "10.0.0.5")],
            ("eth1", "192.168.4.27"),
        ),  # the cards changed places
        ([("usb0", "10.1.1.1")], ("usb0", "10.1.1.1")),  # all is new, and there is one
    ],
)
def test_what_is_surely_meant_is_taken(nics: list[tuple[str, str]], taken: tuple[str, str]) -> None:
    assert choose(WAS, with_nics(*nics), ASKED) == Choice(interface=taken[0], address=taken[1])


def test_of_several_none_is_guessed_and_the_command_that_chooses_is_named() -> None:
    found = choose(WAS, with_nics(("lan1", "10.0.0.1"), ("lan2", "10.0.0.2")), ASKED)
    assert isinstance(found, Finding)
    assert found.code == "address-choice"
    assert found.params["command"] == "sudo archipel repair address-gone --interface lan1"


def test_what_was_said_decides_and_what_is_not_there_is_refused() -> None:
    facts = with_nics(("eth0", "10.0.0.1"), ("lan2", "10.0.0.2"))
    said = replace(ASKED, interface="lan2")
    assert choose(WAS, facts, said) == Choice(interface="lan2", address="10.0.0.2")
    for wrong, code in (
        (replace(ASKED, node_ip="10.0.0.9"), "address-absent"),
        (replace(ASKED, interface="lan9"), "interface-without-address"),
    ):
        found = choose(WAS, facts, wrong)
        assert isinstance(found, Finding)
        assert found.code == code
    found = choose(WAS, with_nics(), ASKED)
    assert isinstance(found, Finding)
    assert found.code == "address-none"


def test_a_site_on_sqlite_is_never_said_to_have_an_etcd(tmp_path: Path) -> None:
    machine = site(tmp_path / "root")
    asked = Context(
        verb=Verb.FIX,
        options=ASKED,
        ports=machine.ports,
        paths=machine.paths,
        settings=machine.settings,
        store=machine.store,
        node_id="",
    )
    assert repair_etcd.not_wanted(asked) == "the datastore knows no addresses"
    machine.close()
