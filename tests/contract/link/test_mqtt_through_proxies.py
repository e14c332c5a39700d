"""The way out through an HTTP proxy, and through a WebSocket: with a real proxy, and with ones that misbehave."""

import base64
import contextlib
import socket
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from tests.brokers.guarded import NODE, GuardedNats, Pki
from tests.brokers.listening import settled
from tests.brokers.scripted import Line, ScriptedBroker
from tests.brokers.servers import await_true, free_port
from tests.contract.link.playing import refused, said

TINYPROXY = Path("/usr/bin/tinyproxy")


@contextmanager
def tinyproxy(directory: Path, *lines: str) -> Generator[int, None, None]:
    """A real proxy on loopback."""
    if not TINYPROXY.exists():
        pytest.skip("tinyproxy is not installed")
    port = free_port()
    configuration = directory / "proxy.conf"
    configuration.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 60", *lines, ""]))
    with (directory / "proxy.log").open("wb") as log:
        process = subprocess.Popen([str(TINYPROXY), "-d", "-c", str(configuration)], stdout=log, stderr=log)
        try:
            await_true(lambda: _listens(port), 5, (directory / "proxy.log").read_text)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def through(url: BrokerUrl, proxy: str, pki: Pki) -> MqttCarrier:
    return MqttCarrier(url, NODE, tls=pki.context(NODE), proxy=proxy)


@pytest.mark.broker
@pytest.mark.real_process
def test_both_ways_lead_through_a_real_proxy_and_one_that_refuses_is_named(
    guarded_nats: GuardedNats, tmp_path: Path
) -> None:
    broker, pki = guarded_nats, guarded_nats.pki
    with tinyproxy(tmp_path, "BasicAuth ann sesam") as port:
        for url in (broker.url, broker.websocket_url):
            node = through(url, f"http://ann:sesam@127.0.0.1:{port}", pki)
            node.open()
            assert node.send(said(b"through", qos=1))
            assert settled(node) == []
            node.close()
            for proxy, why in (
                (f"http://127.0.0.1:{port}", "a user"),
                (f"http://ann:wrong@127.0.0.1:{port}", "another"),
            ):
                failed = refused(through(url, proxy, pki).open)
                assert failed.code == "link-proxy-refused" and why in str(failed), failed
                assert "wrong" not in str(failed) and "sesam" not in str(failed)
        away = BrokerUrl("127.0.0.1", free_port(), scheme="wss", path="/mqtt")
        failed = refused(through(away, f"http://ann:sesam@127.0.0.1:{port}", pki).open)
        assert failed.code == "link-broker-away" and "does not reach" in str(failed)
    with tinyproxy(tmp_path, "ConnectPort 1") as port:
        failed = refused(through(broker.websocket_url, f"http://127.0.0.1:{port}", pki).open)
        assert failed.code == "link-proxy-refused" and "lets nobody through" in str(failed)
    failed = refused(through(broker.url, f"http://ann:sesam@127.0.0.1:{port}", pki).open)
    assert failed.code == "link-proxy-away" and "sesam" not in str(failed)


@contextmanager
def proxy_that(
    answers: bytes, then: Callable[[Line], object]
) -> Generator[tuple[str, list[bytes]], None, None]:
    asked: list[bytes] = []

    def play(line: Line) -> None:
        asked.append(line.socket.recv(4096))
        line.say(answers)
        then(line)

    with ScriptedBroker(play) as proxy:
        yield f"http://ann:se%3Asam@127.0.0.1:{proxy.port}", asked


def drain(line: Line) -> None:
    with contextlib.suppress(ConnectionError):
        while line.socket.recv(4096):
            pass


def test_a_proxy_is_asked_for_the_brokers_name_which_is_looked_up_nowhere_else(pki: Pki) -> None:
    url = BrokerUrl("broker.invalid", 443, scheme="wss", path="/mqtt")
    with proxy_that(b"HTTP/1.1 403 Forbidden\r\n\r\n", drain) as (proxy, asked):
        assert refused(through(url, proxy, pki).open).code == "link-proxy-refused"
    assert asked[0].startswith(b"CONNECT broker.invalid:443 HTTP/1.1\r\nHost: broker.invalid:443\r\n")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:se:sam") in asked[0]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "link-proxy-refused", id="ssh"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", "link-proxy-refused", id="nonsense"),
        pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "link-proxy-refused", id="no-field"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nunasked", "link-proxy-refused", id="speaks-out-of-turn"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 40_000, "link-proxy-refused", id="endless"),
        pytest.param(b"HTTP/1.1 405 No\x1b[31m\r\n\r\n", "link-proxy-refused", id="not-allowed"),
        pytest.param(b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "link-broker-away", id="bad-gateway"),
        pytest.param(b"", "link-proxy-away", id="hangs-up"),
    ],
)
def test_a_proxy_that_answers_strangely_is_no_way(answer: bytes, code: str, pki: Pki) -> None:
    url = BrokerUrl("127.0.0.1", 1, scheme="mqtts")
    with proxy_that(answer, drain if answer else lambda line: None) as (proxy, _):
        failed = refused(through(url, proxy, pki).open)
    assert failed.code == code and "\x1b" not in str(failed) and "sam" not in str(failed)


def test_a_proxy_that_never_answers_is_given_up_in_time(pki: Pki) -> None:
    with proxy_that(b"", drain) as (proxy, _):
        failed = refused(
            lambda: through(BrokerUrl("x.invalid", 1, scheme="mqtts"), proxy, pki).open(timeout=0.3)
        )
    assert failed.code == "link-proxy-away" and "in time" in str(failed)


def test_a_proxy_that_opens_tls_is_recognised_and_hears_nothing(pki: Pki) -> None:
    overheard: list[object] = []
    serving = pki.serving("opens-tls", by=pki.stranger)

    def open_tls(line: Line) -> None:
        try:
            with serving.wrap_socket(line.socket, server_side=True) as opened:
                overheard.append(opened.recv(100))
        except OSError:
            pass  # our side ended the handshake

    for scheme, path in (("mqtts", ""), ("wss", "/mqtt")):
        url = BrokerUrl("127.0.0.1", 1, scheme=scheme, path=path)
        with proxy_that(b"HTTP/1.1 200 Connection established\r\n\r\n", open_tls) as (proxy, _):
            failed = refused(through(url, proxy, pki).open)
        assert failed.code == "link-tls-wrong-broker" and "not of this fleet's CA" in str(failed)
    assert overheard == []


@pytest.mark.parametrize(
    "proxy",
    ["proxy:8080", "https://proxy:1", "http://", "http://a b:1", "http://x:99999", "http://u:secret@x/path"],
)
def test_what_is_no_address_of_a_proxy_is_refused_and_never_repeated(proxy: str, pki: Pki) -> None:
    failed = refused(through(BrokerUrl("127.0.0.1", 1, scheme="mqtts"), proxy, pki).open)
    assert isinstance(failed, CarrierFailed)
    assert failed.code == "link-proxy-refused" and "secret" not in str(failed)


def test_without_tls_no_proxy_is_asked(pki: Pki) -> None:
    url = BrokerUrl("127.0.0.1", free_port())
    failed = refused(MqttCarrier(url, NODE, proxy="http://127.0.0.1:1").open)
    assert failed.code == "link-broker-away"
