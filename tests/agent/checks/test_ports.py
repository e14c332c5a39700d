"""The check of the ports k3s listens on."""

from dataclasses import replace

import pytest

from archipel_agent.checks import ports
from archipel_agent.checks.base import Evidence
from archipel_agent.ports import Listener
from archipel_contract.findings import Severity, Verdict
from archipel_contract.status import ServiceState
from tests.agent.checks.machines import BLIND, FRESH, GOOD, SITE, only, with_log


def listening(*listeners: Listener) -> Evidence:
    return replace(FRESH, listeners=listeners)


def test_free_ports_pass() -> None:
    other = Listener(port=22, address="0.0.0.0", process="sshd", pid=1)
    assert ports.look(listening(other)).verdict is Verdict.OK


def test_a_port_that_is_taken_is_named_with_its_owner() -> None:
    finding = only(ports.look(listening(Listener(port=6443, address="::", process="nginx", pid=77))))
    assert (finding.code, finding.severity) == ("port-taken", Severity.PROBLEM)
    assert (finding.params["ports"], finding.params["owner"]) == ("6443/tcp", "nginx (pid 77)")


def test_all_ports_of_one_owner_are_one_finding() -> None:
    pair = [Listener(port=port, address="0.0.0.0", process="kubelite", pid=9) for port in (10250, 10257)]
    assert only(ports.look(listening(*pair))).params["ports"] == "10250/tcp, 10257/tcp"


def test_two_owners_are_two_findings() -> None:
    first = Listener(port=6443, address="0.0.0.0", process="nginx", pid=7)
    second = Listener(port=8472, address="0.0.0.0", protocol="udp", process="vpn", pid=8)
    result = ports.look(listening(first, second))
    assert [finding.params["ports"] for finding in result.findings] == ["6443/tcp", "8472/udp"]


def test_an_owner_nobody_could_read_is_looked_for_with_a_command() -> None:
    finding = only(ports.look(listening(Listener(port=10250, address="0.0.0.0"))))
    assert (finding.code, finding.params["port"]) == ("port-taken-unknown", "10250")


@pytest.mark.parametrize(
    ("listener", "taken"),
    [
        (Listener(port=10248, address="127.0.0.1"), True),
        (Listener(port=10248, address="0.0.0.0"), True),
        (Listener(port=10248, address="[::]"), True),
        (Listener(port=10248, address="192.168.4.27"), False),
        (Listener(port=10248, address="::1"), False),
        (Listener(port=6443, address="192.168.4.27"), True),
        (Listener(port=8472, address="*", protocol="udp"), True),
        (Listener(port=8472, address="*", protocol="tcp"), False),
        (Listener(port=6443, address="*", protocol="tcp6"), True),
    ],
)
def test_only_sockets_that_would_stop_k3s_count(listener: Listener, taken: bool) -> None:
    assert ports.in_the_way(listener) is taken


def test_the_ports_of_our_own_running_k3s_are_ours() -> None:
    own = (
        Listener(port=6443, address="::", process="k3s-server", pid=812),
        Listener(port=10010, address="127.0.0.1", process="containerd", pid=900),
        Listener(port=8472, address="0.0.0.0", protocol="udp"),
    )
    running = replace(listening(*own), site=SITE, k3s=GOOD.k3s)
    assert ports.look(running).verdict is Verdict.OK


def test_the_ports_of_our_own_k3s_that_is_just_being_stopped_are_ours() -> None:
    own = Listener(port=6443, address="::", process="k3s-server", pid=812)
    stopping = replace(GOOD.k3s, state=ServiceState.UNKNOWN)
    assert ports.look(replace(listening(own), site=SITE, k3s=stopping)).verdict is Verdict.OK


def test_a_stopped_k3s_owns_no_ports() -> None:
    stopped = replace(
        listening(Listener(port=6443, address="::", process="k3s-server", pid=5)),
        site=SITE,
        k3s=replace(GOOD.k3s, state=ServiceState.STOPPED, pid=None),
    )
    assert only(ports.look(stopped)).params["owner"] == "k3s-server (pid 5)"


def test_unread_sockets_are_not_decided() -> None:
    assert ports.look(replace(FRESH, listeners=None)).verdict is Verdict.UNDECIDED
    assert ports.look(BLIND).verdict is Verdict.UNDECIDED


def test_a_running_site_is_judged_by_what_k3s_said() -> None:
    line = 'level=fatal msg="Error: listen tcp :6443: bind: address already in use"'
    finding = only(ports.look(with_log(line)))
    assert (finding.code, finding.params["port"]) == ("port-taken-logged", "6443")
    assert ports.look(with_log(line, ready=True)).verdict is Verdict.OK
