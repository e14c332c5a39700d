"""Whether another machine has this node's address: when it is asked, what counts as an answer, and on a real bridge."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.checks import duplicate_address
from archipel_agent.checks.base import Evidence
from archipel_agent.core import Core
from archipel_agent.host import arp, arp_probe
from archipel_agent.host.privileged import SANDBOX_MARK
from archipel_agent.neighbours import AddressSeen, AddressWatch, twice6
from archipel_agent.ports import CommandFailed, Completed, LanSilent
from archipel_agent.settings import Settings
from archipel_contract.findings import Severity, Verdict
from archipel_contract.jobs import JobState
from tests.agent.checks.machines import BLIND, FRESH, GOOD, only
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node
from tests.fakes.lan import ScriptedLan

OURS, THEIRS = "02:00:00:00:00:01", "02:00:00:00:00:02"
IP = "192.168.4.27"
ADDRESS = bytes((192, 168, 4, 27))


def asked(watch: AddressWatch, address: str = IP) -> AddressSeen | None:
    return watch.begin("eth0", address, frozenset({OURS}))()


# ---- when it is asked -----------------------------------------------------------------------------------------------


def test_nobody_is_asked_unless_somebody_wants_to_know_and_then_once() -> None:
    lan = ScriptedLan()
    watch = AddressWatch(lan)
    assert asked(watch) is None
    watch.ask_next()
    assert asked(watch) == AddressSeen(interface="eth0", address=IP)
    assert asked(watch) is None
    assert lan.asked == [("eth0", IP)]


def test_while_another_machine_has_the_address_each_look_asks_until_it_is_gone() -> None:
    lan = ScriptedLan(THEIRS)
    watch = AddressWatch(lan, asks=True)
    first, second = asked(watch), asked(watch)
    assert first == second == AddressSeen(interface="eth0", address=IP, others=(THEIRS,))
    lan.holding = ()
    gone = asked(watch)
    assert gone is not None and gone.others == ()
    assert asked(watch) is None
    assert len(lan.asked) == 3


def test_another_interface_of_this_machine_on_the_same_network_is_no_other_machine() -> None:
    seen = asked(AddressWatch(ScriptedLan(OURS), asks=True))
    assert seen is not None and seen.others == ()


def test_a_network_that_cannot_be_asked_is_not_called_free() -> None:
    lan = ScriptedLan()
    lan.problem = "wwan0 is no Ethernet"
    seen = asked(AddressWatch(lan, asks=True))
    assert seen is not None
    result = duplicate_address.look(replace(GOOD, address=seen))
    assert (result.verdict, result.said) == (Verdict.UNDECIDED, "wwan0 is no Ethernet")


def test_a_preflight_does_not_wait_long_for_a_network_that_does_not_answer() -> None:
    gate = threading.Event()

    class Slow(ScriptedLan):
        def holders(self, interface: str, address: str) -> tuple[str, ...]:
            gate.wait(10)
            return ()

    watch = AddressWatch(Slow(), asks=True, patience=0.05)
    seen = asked(watch)
    gate.set()
    assert seen is not None and "took too long" in seen.problem
    assert duplicate_address.look(replace(GOOD, address=seen)).verdict is Verdict.UNDECIDED


def site_on(lan: ScriptedLan) -> tuple[Node, Core]:
    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    return node, Core(replace(node.ports, lan=lan), node.paths, Settings(), "n-1", node.store)


def test_turns_ask_nobody_and_the_doctor_does() -> None:
    lan = ScriptedLan(THEIRS)
    _, core = site_on(lan)
    assert "address-duplicate" not in {one.code for one in core.turn(close=True).findings}
    assert lan.asked == []
    (found,) = [one for one in core.checks().results if one.slug == "duplicate-address"]
    assert only(found).params["other"] == THEIRS
    assert "address-duplicate" in {one.code for one in core.turn(close=True).findings}
    lan.holding = ()
    assert "address-duplicate" not in {one.code for one in core.turn(close=True).findings}


def test_up_is_refused_on_an_address_that_another_machine_has_and_its_plan_says_so() -> None:
    node = Node(prepared(()))
    node.ports = replace(node.ports, lan=ScriptedLan(THEIRS))
    core = Core(node.ports, node.paths, Settings(), "n-1", node.store)
    assert "address-duplicate" in {one.code for one in core.plan(UP).findings}
    ended = node.do(UP)
    assert ended.state is JobState.FAILED
    assert ended.finding is not None and ended.finding.code == "address-duplicate"


# ---- what is judged -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evidence", [GOOD, FRESH])
def test_the_finding_names_the_other_machine(evidence: Evidence) -> None:
    seen = AddressSeen(interface="eth0", address=IP, others=(THEIRS,))
    finding = only(duplicate_address.look(replace(evidence, address=seen)))
    assert (finding.code, finding.severity) == ("address-duplicate", Severity.PROBLEM)
    assert THEIRS in finding.next_step


def test_the_kernels_word_about_ipv6_counts_even_where_nobody_was_asked() -> None:
    finding = only(duplicate_address.look(replace(GOOD, address=None, twice6=("fe80::1 on eth0",))))
    assert (finding.code, finding.severity) == ("address6-duplicate", Severity.WARNING)
    assert duplicate_address.look(BLIND).verdict is Verdict.UNDECIDED
    assert (
        duplicate_address.look(GOOD).said == f"nobody else has {IP} on eth0; IPv6: none, as the kernel says"
    )


def test_only_addresses_that_failed_are_read_from_the_kernels_list() -> None:
    lines = (
        "fe800000000000000000000000000001 02 40 20 80     eth0",
        "fe800000000000000000000000000002 03 40 20 c8    wlan0",
        "torn line",
        "zz 02 40 20 08 eth0",
    )
    assert twice6("\n".join(lines)) == ("fe80::2 on wlan0",)
    assert twice6(None) is None


# ---- the frames -----------------------------------------------------------------------------------------------------


def answer(sender: bytes, said: bytes, operation: int = 2) -> bytes:
    body = arp_probe.BODY.pack(1, arp_probe.IPV4, 6, 4, operation, sender, said, arp_probe.NOBODY, bytes(4))
    return arp_probe.HEAD.pack(arp_probe.BROADCAST, sender, arp_probe.ARP) + body


def test_a_probe_names_no_sender_address_and_is_no_answer_itself() -> None:
    frame = arp_probe.probe(bytes.fromhex("020000000001"), ADDRESS)
    assert len(frame) == 42 and frame[28:32] == bytes(4) and frame[38:42] == ADDRESS
    assert arp_probe.holder_in(frame, ADDRESS) is None


def test_whoever_answers_or_announces_the_address_holds_it() -> None:
    sender = bytes.fromhex("020000000002")
    assert arp_probe.holder_in(answer(sender, ADDRESS), ADDRESS) == THEIRS
    assert arp_probe.holder_in(answer(sender, ADDRESS, operation=1) + bytes(18), ADDRESS) == THEIRS
    assert arp_probe.holder_in(answer(sender, bytes(4)), ADDRESS) is None
    assert arp_probe.holder_in(answer(sender, ADDRESS, operation=9), ADDRESS) is None


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(st.binary(max_size=80))
def test_no_frame_whatever_it_holds_is_more_than_not_an_answer(frame: bytes) -> None:
    held = arp_probe.holder_in(frame, ADDRESS)
    assert held is None or frame[28:32] == ADDRESS


class Unit:
    """A runner that starts transient units: what they answer, and the words they were started with."""

    def __init__(self, answer: str, problem: str = "") -> None:
        self.answer, self.problem = answer, problem
        self.argv: list[str] = []

    def find(self, command: str) -> Path | None:
        """See ports.Runner."""
        return Path(command)

    def run(self, argv: Sequence[str | Path], **more: object) -> Completed:
        """See ports.Runner."""
        self.argv = [str(word) for word in argv]
        if self.problem:
            raise CommandFailed("it ended with 1", 1, "", self.problem)
        return Completed(argv=tuple(self.argv), code=0, stdout=self.answer, stderr="")


def test_the_confined_agent_has_a_transient_unit_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SANDBOX_MARK, "1")
    unit = Unit(f"{THEIRS}\n")
    assert arp.ArpLan(unit).holders("eth0", IP) == (THEIRS,)
    assert unit.argv[0] == "systemd-run"
    assert unit.argv[-5:] == ["-I", "-S", arp_probe.__file__, "eth0", IP]


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        (Unit("", "Running as unit\n100 Network is down\n"), "eth0: Network is down"),
        (Unit("", "0 is no Ethernet\n"), "eth0 is no Ethernet"),
        (Unit("", "1 Operation not permitted\n"), "takes root"),
        (Unit("", "Failed to connect to bus\n"), "Failed to connect to bus"),
    ],
)
def test_a_unit_that_could_not_ask_says_why(monkeypatch: pytest.MonkeyPatch, unit: Unit, why: str) -> None:
    monkeypatch.setenv(SANDBOX_MARK, "1")
    with pytest.raises(LanSilent, match=why):
        arp.ArpLan(unit).holders("eth0", IP)


# ---- a real bridge --------------------------------------------------------------------------------------------------

PROBE = ("-I", "-S", arp_probe.__file__)
TWICE, ONCE, SIXTH = "10.199.88.1", "10.199.88.2", "fd00:199:88::1"
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and ip, for network namespaces"
)


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@dataclass
class Cabinet:
    """Two machines with one address on one switch, as network namespaces; the second has its IPv6 address first."""

    ours: str
    theirs: str

    def run(self, *argv: str, root: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of ours on the first machine."""
        environment = {**os.environ, **({"ARCHIPEL_ROOT": str(root)} if root else {})}
        words = ["ip", "netns", "exec", self.ours, sys.executable, *argv]
        return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=15, check=False)

    def other(self) -> str:
        """The hardware address of the second machine."""
        return str(json.loads(ip("-n", self.theirs, "-j", "link", "show", "eth0"))[0]["address"])


@pytest.fixture(scope="module")
def cabinet() -> Iterator[Cabinet]:
    name = f"arp{secrets.token_hex(2)}"
    switch, ours, theirs = (f"{name}-{end}" for end in ("s", "a", "b"))
    try:
        for one in (switch, ours, theirs):
            ip("netns", "add", one)
        ip("-n", switch, "link", "add", "br0", "type", "bridge")
        ip("-n", switch, "link", "set", "br0", "up")
        for one in (theirs, ours):
            port = f"p{one[-1]}"
            ip("-n", one, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", switch)
            ip("-n", switch, "link", "set", port, "master", "br0", "up")
            ip("-n", one, "link", "set", "eth0", "up")
            ip("-n", one, "address", "add", f"{TWICE}/24", "dev", "eth0")
            ip(
                "-n",
                one,
                "address",
                "add",
                f"{SIXTH}/64",
                "dev",
                "eth0",
                *(("nodad",) if one == theirs else ()),
            )
        ip("-n", ours, "address", "add", f"{ONCE}/24", "dev", "eth0")
        yield Cabinet(ours, theirs)
    finally:
        for one in (switch, ours, theirs):
            subprocess.run(["ip", "netns", "del", one], capture_output=True, check=False)


@needs_root
@pytest.mark.real_process
def test_two_machines_on_one_bridge_with_one_address_see_each_other_at_once(cabinet: Cabinet) -> None:
    done = cabinet.run(*PROBE, "eth0", TWICE)
    assert done.stdout.split() == [cabinet.other()], done.stderr
    began = time.monotonic()
    done = cabinet.run(*PROBE, "eth0", ONCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < 3.0


@needs_root
@pytest.mark.real_process
def test_the_doctor_names_the_other_machine_and_the_kernels_word_about_ipv6(
    cabinet: Cabinet, tmp_path: Path
) -> None:
    failed = wait_for_dad(cabinet)
    ip(
        "-n", cabinet.ours, "address", "del", f"{ONCE}/24", "dev", "eth0"
    )  # else it is not clear which is meant
    done = cabinet.run("-m", "archipel_contract.launcher", "doctor", "--json", root=tmp_path)
    (result,) = [one for one in json.loads(done.stdout)["results"] if one["slug"] == "duplicate-address"]
    codes = {one["code"]: one for one in result["findings"]}
    assert codes["address-duplicate"]["params"]["other"] == cabinet.other()
    assert cabinet.other() in codes["address-duplicate"]["next_step"]
    assert codes["address6-duplicate"]["params"]["address"] == f"{SIXTH} on eth0" and failed


@needs_root
@pytest.mark.real_process
def test_an_interface_that_is_none_or_no_ethernet_is_said(cabinet: Cabinet) -> None:
    for interface, why in (("lo", "0 is no Ethernet\n"), ("no-such-nic", "19 No such device\n")):
        done = cabinet.run(*PROBE, interface, TWICE)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", why)


def wait_for_dad(cabinet: Cabinet) -> bool:
    """Wait until the kernel has asked for the IPv6 address, which takes it a second or two."""
    deadline = time.monotonic() + 8.0
    while time.monotonic() < deadline:
        if "dadfailed" in ip("-n", cabinet.ours, "-6", "address", "show", "dev", "eth0"):
            return True
        time.sleep(0.1)
    return False
