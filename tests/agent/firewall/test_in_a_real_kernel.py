"""The rules in a real kernel: two network namespaces with a cable between them, real connections, real time to live."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from archipel_agent.firewall.declared import opening
from archipel_agent.firewall.rules import REMOVE, ruleset
from archipel_agent.firewall.standing import TABLE, Standing, read

NETWORKS = ("10.42.0.0/16", "10.43.0.0/16")
OURS, THEIRS = "10.199.77.1", "10.199.77.2"
LISTENER = """
import socket, sys
held = []
for port in map(int, sys.argv[1:]):
    one = socket.create_server(("0.0.0.0", port))
    held.append(one)
print("ready", flush=True)
import select
open_ones = []
while True:
    for one in select.select(held + open_ones, [], [])[0]:
        if one in held:
            open_ones.append(one.accept()[0])
        else:
            try:
                said = one.recv(100)
                if said:
                    one.sendall(said)
                    continue
            except OSError:
                pass
            one.close()
            open_ones.remove(one)
"""
CALLER = """
import socket, sys
for port in sys.argv[2:]:
    try:
        with socket.create_connection((sys.argv[1], int(port)), timeout=0.3) as one:
            one.settimeout(0.3)
            one.sendall(b"x")
            if one.recv(1):
                print(port)
    except OSError:
        pass
"""

pytestmark = [
    pytest.mark.real_process,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("nft") is None or shutil.which("ip") is None,
        reason="needs root, nft and ip",
    ),
]


@dataclass(frozen=True)
class Pair:
    """Our machine and somebody else's, named by their namespaces."""

    ours: str
    theirs: str

    def here(self, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["ip", "netns", "exec", self.ours, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def load(self, text: str) -> None:
        done = self.here("nft", "-f", "-", stdin=text)
        assert done.returncode == 0, done.stderr

    def standing(self) -> Standing:
        return read(self.here("nft", "-j", "list", "table", "inet", TABLE).stdout).standing

    def reached(self, ports: Sequence[int], address: str = OURS) -> list[int]:
        """Which of the ports answer somebody on the other machine."""
        argv = ["ip", "netns", "exec", self.theirs, "python3", "-ISc", CALLER, address, *map(str, ports)]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return [int(line) for line in said.split()]

    def reaches(self, port: int, address: str = OURS) -> bool:
        return bool(self.reached([port], address))


def _ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    mark = secrets.token_hex(3)
    made = Pair(f"fw-a-{mark}", f"fw-b-{mark}")
    for name in (made.ours, made.theirs):
        _ip("netns", "add", name)
    try:
        _ip(
            "-n",
            made.ours,
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            made.theirs,
        )
        for name, address in ((made.ours, OURS), (made.theirs, THEIRS)):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield made
    finally:
        for name in (made.ours, made.theirs):
            _ip("netns", "delete", name)


@pytest.fixture(scope="module")
def listening(pair: Pair) -> Iterator[Sequence[int]]:
    heard = (22, 443, 6443, 8080)
    argv = ["ip", "netns", "exec", pair.ours, "python3", "-ISc", LISTENER, *map(str, heard)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield heard
        process.kill()


@pytest.fixture(autouse=True)
def clean(pair: Pair) -> Iterator[None]:
    yield
    pair.load(REMOVE)


def test_only_what_is_declared_comes_in(pair: Pair, listening: Sequence[int]) -> None:
    declared = (opening("22"), opening(f"6443 from {THEIRS}"), opening("443 from 192.0.2.0/24"))
    assert pair.reached(listening) == [22, 443, 6443, 8080]
    pair.load(ruleset(declared, NETWORKS))
    assert pair.reached(listening) == [22, 6443]
    assert pair.standing() is Standing.ON
    pair.load(REMOVE)
    assert pair.reached(listening) == [22, 443, 6443, 8080]


def test_the_kernel_lets_everything_in_again_when_nobody_confirms_in_time(
    pair: Pair, listening: Sequence[int]
) -> None:
    pair.load(ruleset((), NETWORKS, 2))
    assert pair.standing() is Standing.UNCONFIRMED
    assert not pair.reaches(22)
    until = time.monotonic() + 10
    while not pair.reaches(22):
        assert time.monotonic() < until
    assert pair.standing() is Standing.EXPIRED


def test_a_connection_that_stands_goes_on_although_its_port_is_closed(
    pair: Pair, listening: Sequence[int]
) -> None:
    script = (
        "import socket\n"
        f"one = socket.create_connection(('{OURS}', 8080), timeout=5)\n"
        "one.sendall(b'a'); one.recv(1); print('up', flush=True); input()\n"
        "one.sendall(b'b'); print(one.recv(1).decode(), flush=True)\n"
    )
    argv = ["ip", "netns", "exec", pair.theirs, "python3", "-ISc", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "up\n"
        pair.load(ruleset((), NETWORKS))
        assert not pair.reaches(8080)
        told, _ = caller.communicate("\n", timeout=10)
    assert told.strip() == "b"


def test_a_port_that_is_led_to_a_pod_needs_its_opening_too(pair: Pair, listening: Sequence[int]) -> None:
    led = (
        "table ip led {\n"
        "  chain in {\n"
        "    type nat hook prerouting priority dstnat;\n"
        "    tcp dport 30080 redirect to :8080\n"
        "  }\n"
        "}\n"
    )
    pair.load(led)
    try:
        pair.load(ruleset((opening("8080"),), NETWORKS))
        assert not pair.reaches(30080)
        pair.load(ruleset((opening("30080"),), NETWORKS))
        assert pair.reaches(30080)
    finally:
        pair.load("table ip led\ndelete table ip led\n")


def test_nobody_outside_addresses_pods_and_services_directly(pair: Pair, listening: Sequence[int]) -> None:
    _ip("-n", pair.ours, "addr", "add", "10.42.0.1/24", "dev", "lo")
    _ip("-n", pair.theirs, "route", "add", "10.42.0.0/16", "via", OURS)
    try:
        assert pair.reaches(8080, "10.42.0.1")
        pair.load(ruleset((opening("8080"),), NETWORKS))
        assert not pair.reaches(8080, "10.42.0.1")
        assert pair.reaches(8080)
    finally:
        _ip("-n", pair.theirs, "route", "del", "10.42.0.0/16")


def test_the_machine_itself_and_ping_are_never_hindered(pair: Pair, listening: Sequence[int]) -> None:
    pair.load(ruleset((), NETWORKS))
    local = pair.here("python3", "-ISc", CALLER, OURS, "8080")
    assert local.stdout.strip() == "8080"
    # An echo request of ICMP (RFC 792) by hand: type 8, its checksum, number 1 of identifier 1.
    script = (
        "import socket\n"
        "one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); one.settimeout(2)\n"
        f"one.sendto(bytes.fromhex('0800f7fd00010001'), ('{OURS}', 0)); print(one.recv(100)[20])\n"
    )
    argv = ["ip", "netns", "exec", pair.theirs, "python3", "-ISc", script]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip() == "0"
