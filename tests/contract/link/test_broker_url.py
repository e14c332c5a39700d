"""Brokers' addresses: read strictly, shown without their password, and never off this machine."""

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link.broker_url import (
    BrokerUrl,
    BrokerUrlInvalid,
    is_loopback,
    parse,
    require_loopback,
)
from archipel_contract.link.carrier import CarrierFailed


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("mqtt://127.0.0.1:1883", BrokerUrl("127.0.0.1", 1883)),
        ("mqtt://localhost", BrokerUrl("localhost", 1883)),
        ("MQTT://LocalHost:2000/", BrokerUrl("localhost", 2000)),
        ("mqtt://[::1]:1884", BrokerUrl("::1", 1884)),
        ("mqtt://fleet@127.0.0.1", BrokerUrl("127.0.0.1", 1883, "fleet")),
        ("mqtt://fleet:a%40b%2Fc@127.0.0.1", BrokerUrl("127.0.0.1", 1883, "fleet", "a@b/c")),
        ("  mqtt://127.0.0.1  ", BrokerUrl("127.0.0.1", 1883)),
        ("mqtts://fleet.example", BrokerUrl("fleet.example", 8883, scheme="mqtts")),
        ("mqtts://10.0.0.7:9000/", BrokerUrl("10.0.0.7", 9000, scheme="mqtts")),
        ("wss://fleet.example", BrokerUrl("fleet.example", 443, scheme="wss", path="/mqtt")),
        ("wss://fleet.example:8443/ws/", BrokerUrl("fleet.example", 8443, scheme="wss", path="/ws/")),
    ],
)
def test_a_broker_is_read_from_its_address(text: str, url: BrokerUrl) -> None:
    assert parse(text) == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with one of"),
        ("127.0.0.1:1883", "begin with one of"),
        ("http://127.0.0.1", "begin with one of"),
        ("mqtts://127.0.0.1/path", "behind"),
        ("wss://127.0.0.1/mqtt?x=1", "behind"),
        ("mqtt://", "no host"),
        ("mqtt://:1883", "no host"),
        ("mqtt://a b", "no host"),
        ("mqtt://127.0.0.1:0", "port"),
        ("mqtt://127.0.0.1:65536", "port"),
        ("mqtt://127.0.0.1:mqtt", "port"),
        ("mqtt://[::1", "cannot be read"),
        ("mqtt://127.0.0.1/path", "behind"),
        ("mqtt://127.0.0.1?x=1", "behind"),
        ("mqtt://127.0.0.1#x", "behind"),
        ("mqtt://:secret@127.0.0.1", "no user"),
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: str, why: str) -> None:
    with pytest.raises(BrokerUrlInvalid) as invalid:
        parse(text)
    assert why in str(invalid.value) and "mqtt://127.0.0.1:1883" in str(invalid.value)


@pytest.mark.parametrize(
    "text", ["mqtt://me:hunter2@h:x", "mqtt://me:hunter2@[h", "mqtt://me:hunter2@h/p", "http://me:hunter2@h"]
)
def test_no_refusal_repeats_a_password(text: str) -> None:
    with pytest.raises(BrokerUrlInvalid) as invalid:
        parse(text)
    assert "hunter2" not in str(invalid.value)


@hypothesis.given(st.text(max_size=40) | st.text(max_size=40).map("mqtt://".__add__))
def test_noise_is_an_address_or_is_refused_and_never_breaks(text: str) -> None:
    try:
        url = parse(text)
    except BrokerUrlInvalid:
        return
    assert url.host and 0 < url.port < 65536 and isinstance(is_loopback(url.host), bool)


def test_a_shown_address_can_be_read_again_and_has_no_password() -> None:
    url = BrokerUrl("::1", 1884, "fleet", "secret")
    assert str(url) == "mqtt://fleet@[::1]:1884" and "secret" not in repr(url)
    assert parse(str(url)) == BrokerUrl("::1", 1884, "fleet")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.255.255.254", "::1", "localhost", "LOCALHOST", "localhost."]
)
def test_this_machine_is_allowed(host: str) -> None:
    require_loopback(BrokerUrl(host))


@pytest.mark.parametrize(
    "host",
    [
        "128.0.0.1",
        "10.0.0.1",
        "0.0.0.0",
        "::",
        "::2",
        "fe80::1",
        "localhost.example",
        "mylocalhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "127.0.0.1.nip.example",
        "broker",
        "",
    ],
)
def test_every_other_machine_is_refused_names_unseen(host: str) -> None:
    with pytest.raises(CarrierFailed) as refused:
        require_loopback(BrokerUrl(host))
    assert refused.value.code == "link-not-loopback"
