"""What may come in, as people write it: what is understood, what is refused and where, and what a person is shown before."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_agent.firewall.declared import DEFAULT, DeclarationInvalid, Opening, opening, parse, text_of
from archipel_agent.firewall.looking import consequences, shuts_out
from archipel_agent.firewall.rules import ruleset
from archipel_agent.firewall.standing import Standing, read
from archipel_agent.ports import Listener

NETWORKS = ("10.42.0.0/16", "10.43.0.0/16")

ports = st.integers(1, 65535)
sources = st.lists(
    st.sampled_from(["192.168.7.0/24", "10.0.0.0/8", "fd00::/8", "203.0.113.9/32"]), unique=True
)


@st.composite
def openings(draw: st.DrawFn) -> Opening:
    first, last = sorted((draw(ports), draw(ports)))
    return Opening(first, last, draw(st.sampled_from(["tcp", "udp"])), tuple(sorted(draw(sources))))


@given(st.lists(openings(), max_size=5))
def test_what_is_written_is_read_the_same(wanted: list[Opening]) -> None:
    assert parse(text_of(wanted)) == tuple(sorted(set(wanted)))


def test_a_file_from_another_system_is_understood() -> None:
    said = (
        "\ufeff# the plant\r\n443\r\n\r\n 6443/TCP from 192.168.7.9/24, fd00::1/8  # kubectl\r\n80-90/udp\r\n"
    )
    assert [str(one) for one in parse(said)] == [
        "80-90/udp",
        "443/tcp",
        "6443/tcp from 192.168.7.0/24 fd00::/8",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ssh", "not a port"),
        ("0/tcp", "not a port"),
        ("65536", "not a port"),
        ("٤٤٣", "not a port"),
        ("90-80/tcp", "write 80-90"),
        ("443/sctp", "tcp or udp"),
        ("443/tcp from", "`from` and a network"),
        ("443/tcp and more", "`from` and a network"),
        ("443/tcp from everywhere", "not a network"),
        ("443/tcp from 300.0.0.0/8", "not a network"),
    ],
)
def test_a_line_that_cannot_be_understood_is_named_with_what_would_be_right(line: str, reason: str) -> None:
    with pytest.raises(DeclarationInvalid, match=f"^line 3: .*{reason}"):
        parse(f"22/tcp\n# a remark\n{line}\n")


def test_the_default_lets_in_ssh_and_the_api_of_kubernetes() -> None:
    assert [str(one) for one in DEFAULT] == ["22/tcp", "6443/tcp"]


def test_a_person_sees_what_becomes_of_everything_that_listens() -> None:
    heard = (
        Listener(port=22, address="0.0.0.0", process="sshd"),
        Listener(port=6444, address="127.0.0.1", process="k3s-server"),
        Listener(port=6443, address="::", process="k3s-server"),
        Listener(port=8472, address="0.0.0.0", protocol="udp"),
    )
    seen = consequences((opening("22"), opening("6443 from 10.0.0.0/8")), heard)
    assert [(one.port, one.reachable, one.origin) for one in seen] == [
        (22, True, ""),
        (6443, True, "10.0.0.0/8"),
        (8472, False, ""),
    ]


@pytest.mark.parametrize(
    ("connection", "missing"),
    [
        ("10.1.2.3 50000 10.1.2.4 22", ""),
        ("10.1.2.3 50000 10.1.2.4 2222", "2222/tcp from 10.1.2.3"),
        ("192.168.9.1 50000 10.1.2.4 22", "22/tcp from 192.168.9.1"),
        ("fe80::1%eth0 50000 fe80::2%eth0 22", "22/tcp from fe80::1"),
        ("", ""),
        ("something else", ""),
    ],
)
def test_somebody_connected_through_a_port_that_would_close_is_told_so(connection: str, missing: str) -> None:
    assert shuts_out((opening("22/tcp from 10.0.0.0/8"),), connection) == missing


def test_rules_that_wait_to_be_confirmed_end_by_themselves_and_confirmed_ones_stay() -> None:
    assert "ipv4 timeout 60s, ipv6 timeout 60s" in ruleset(DEFAULT, NETWORKS, 60)
    assert "timeout 60s" not in ruleset(DEFAULT, NETWORKS)


def _listing(*elements: object) -> str:
    armed: dict[str, object] = {"name": "armed"}
    if elements:
        armed["elem"] = list(elements)
    return json.dumps(
        {"nftables": [{"counter": {"packets": 7}}, {"set": armed}, {"chain": {"name": "door"}}]}
    )


@pytest.mark.parametrize(
    ("listed", "standing", "left"),
    [
        ("", Standing.OFF, 0),
        (_listing("ipv4", "ipv6"), Standing.ON, 0),
        (_listing({"elem": {"val": "ipv4", "expires": 41}}), Standing.UNCONFIRMED, 41),
        (_listing(), Standing.EXPIRED, 0),
    ],
)
def test_the_kernels_listing_says_how_it_stands(listed: str, standing: Standing, left: int) -> None:
    seen = read(listed)
    assert (seen.standing, seen.seconds_left) == (standing, left)


def test_a_table_of_that_name_that_is_not_ours_is_not_taken_for_ours() -> None:
    with pytest.raises(ValueError, match="armed"):
        read(json.dumps({"nftables": [{"table": {"name": "archipel"}}]}))
