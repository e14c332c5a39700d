"""The listener on a real socket, with real TLS: who gets in with which certificate, and what rubbish brings."""

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archipel_contract.link.secure import client_context
from archipel_contract.trust.certificates import Authority, read
from archipel_contract.trust.enrolment import BODY_LIMIT, ENROL, RENEW, TRUST, Answer, EnrolmentState
from archipel_contract.trust.keys import new_device_key, to_pem
from archipel_contract.wire import from_data, to_data
from archipel_fleet.enrolment import listener
from archipel_fleet.enrolment.listener import enrolment_server, server_context
from archipel_fleet.host.server import HttpServer, listening_socket
from archipel_fleet.ports import StoreFailed
from archipel_fleet.trust.keyring import FleetKeys
from tests.fleet.enrolment.applicant import Device, Fleet

HOST = "127.0.0.1"


@pytest.fixture(scope="session")
def server_files(fleet_keys: FleetKeys, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key of the listener."""
    directory = tmp_path_factory.mktemp("listener")
    key = new_device_key()
    made = fleet_keys.authority.server(["localhost", HOST], key.public_key(), datetime.now(UTC))
    files = directory / "server.crt", directory / "server.key"
    files[0].write_bytes(made.pem)
    files[1].write_bytes(to_pem(key))
    return files


@dataclass
class Door:
    """A listener that runs."""

    fleet: Fleet
    port: int
    directory: Path

    def context(
        self, device: Device | None = None, pem: str = "", check_time: bool = False
    ) -> ssl.SSLContext:
        """Return a client's context, with this certificate of this device."""
        certificate, key = None, None
        if device is not None:
            certificate, key = self.directory / "device.crt", self.directory / "device.key"
            certificate.write_text(pem)
            key.write_bytes(to_pem(device.key))
        authorities = self.fleet.keys.trust.document.authorities
        return client_context(authorities, certificate, key, check_time=check_time)

    def ask(
        self, method: str, path: str, body: Any = None, context: ssl.SSLContext | None = None
    ) -> tuple[int, bytes]:
        """Ask once; return status and body."""
        one = http.client.HTTPSConnection(HOST, self.port, context=context or self.context(), timeout=5)
        try:
            one.request(method, path, body=body if isinstance(body, bytes) else json.dumps(to_data(body)))
            answer = one.getresponse()
            return answer.status, answer.read()
        finally:
            one.close()

    def answer(self, path: str, body: Any = None, context: ssl.SSLContext | None = None) -> Answer:
        """Ask and return the answer."""
        status, said = self.ask("GET" if body is None else "POST", path, body, context)
        assert status == 200
        return from_data(Answer, json.loads(said))

    def raw(self) -> ssl.SSLSocket:
        """Return a connection without a request."""
        return self.context().wrap_socket(
            socket.create_connection((HOST, self.port), 5), server_hostname=HOST
        )


@pytest.fixture
def door(fleet: Fleet, server_files: tuple[Path, Path], tmp_path: Path) -> Iterator[Door]:
    """A listener, in a thread of its own, by the machine's clock."""
    fleet.clock.milliseconds = int(time.time() * 1000)
    context = server_context(*server_files, fleet.keys.trust.document.authorities)
    bound = listening_socket(HOST, 0)
    ready = threading.Event()
    server = enrolment_server(fleet.enrolment, context, ready.set)
    thread = threading.Thread(target=_run, args=(server, bound), name="enrolment")
    thread.start()
    try:
        assert ready.wait(10)
        yield Door(fleet, bound.getsockname()[1], tmp_path)
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
        assert not thread.is_alive()


def _run(server: HttpServer, bound: socket.socket) -> None:
    asyncio.run(server.serve(sockets=[bound]))


def test_a_device_enrols_and_renews_over_tls(door: Door) -> None:
    pi = Device()
    answer = door.answer(ENROL, pi.request(door.fleet.token()))
    assert answer.state is EnrolmentState.ISSUED
    new = Device(key=new_device_key())
    door.fleet.clock.pass_by(200 * 86_400)
    renewed = door.answer(RENEW, new.renewal(), door.context(pi, answer.certificate))
    assert renewed.state is EnrolmentState.ISSUED
    assert read(renewed.certificate.encode()).public == new.signer.public
    assert door.answer(RENEW, pi.renewal()).code == "renew-no-certificate"


def test_anybody_may_know_the_cas_and_the_time(door: Door) -> None:
    answer = door.answer(TRUST)
    assert answer.authorities == door.fleet.keys.trust.document.authorities
    assert answer.state is EnrolmentState.UNKNOWN
    assert answer.at == door.fleet.clock.now()
    assert answer.brokers == ()


def ended(door: Door, device: Device, days: int) -> str:
    """Return a certificate of a device that ended so many days ago."""
    then = datetime.now(UTC) - timedelta(days=365 + days)
    return door.fleet.keys.authority.device(device.node_id, device.key.public_key(), then).pem.decode()


def test_a_certificate_that_has_ended_renews(door: Door) -> None:
    pi = Device()
    door.answer(ENROL, pi.request(door.fleet.token()))
    old = ended(door, pi, 100)
    assert read(old.encode()).not_after < datetime.now(UTC)
    answer = door.answer(RENEW, pi.renewal(), door.context(pi, old))
    assert answer.state is EnrolmentState.ISSUED
    assert read(answer.certificate.encode()).not_after > datetime.now(UTC)
    too_old = ended(door, pi, 731)
    assert door.answer(RENEW, pi.renewal(), door.context(pi, too_old)).code == "renew-too-late"


def test_a_new_key_before_its_time_is_wished_for_in_the_address(door: Door) -> None:
    pi = Device()
    answer = door.answer(ENROL, pi.request(door.fleet.token()))
    new = new_device_key()
    context = door.context(pi, answer.certificate)
    assert door.answer(RENEW, pi.renewal(new), context).code == "renew-early"
    forced = door.answer(f"{RENEW}?force=yes", pi.renewal(new), context)
    assert forced.state is EnrolmentState.ISSUED


def test_a_certificate_of_a_foreign_ca_ends_the_handshake(door: Door) -> None:
    pi = Device()
    answer = door.answer(ENROL, pi.request(door.fleet.token()))
    genuine = read(answer.certificate.encode())
    # The same names, another key: what an attacker can make who has seen everything that is public.
    now = datetime.now(UTC)
    foreign = Authority.new(new_device_key(), "Archipel", now).device(pi.node_id, pi.key.public_key(), now)
    assert foreign.public == genuine.public
    with pytest.raises((ssl.SSLError, ConnectionError)):
        door.ask("POST", RENEW, pi.renewal(), door.context(pi, foreign.pem.decode()))
    selfmade = Authority.new(pi.key, pi.node_id, now).pem.decode()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        door.ask("POST", RENEW, pi.renewal(), door.context(pi, selfmade))


def test_a_servers_certificate_is_none_of_a_device(door: Door) -> None:
    pi = Device()
    made = door.fleet.keys.authority.server([pi.node_id], pi.key.public_key(), datetime.now(UTC))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        door.ask("POST", RENEW, pi.renewal(), door.context(pi, made.pem.decode()))


def test_whoever_expects_another_fleet_does_not_talk_to_this_one(door: Door) -> None:
    other = Authority.new(new_device_key(), "Other", datetime.now(UTC)).pem.decode()
    with pytest.raises(ssl.SSLCertVerificationError):
        door.ask("GET", TRUST, context=client_context([other], None, None, check_time=False))


def test_old_tls_is_refused(door: Door) -> None:
    context = door.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        door.ask("GET", TRUST, context=context)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", ENROL, b"", 400),
        ("POST", ENROL, b"[]", 400),
        ("POST", ENROL, b"{}", 400),
        ("POST", ENROL, b"\xff\x00", 400),
        ("POST", ENROL, b"[" * 60_000, 400),
        ("POST", ENROL, b'{"csr": 5, "node_id": []}', 400),
        ("POST", ENROL, b"x" * (BODY_LIMIT + 1), 413),
        ("POST", RENEW, b"{}", 400),
        ("GET", ENROL, b"", 405),
        ("DELETE", TRUST, b"", 405),
        ("GET", "/", b"", 404),
        ("GET", "/../etc/passwd", b"", 404),
    ],
)
def test_rubbish_gets_a_number_and_nothing_else(
    door: Door, method: str, path: str, body: bytes, status: int
) -> None:
    assert door.ask(method, path, body) == (status, b"{}")
    assert door.answer(TRUST).at


def test_whoever_guesses_is_told_to_wait(door: Door) -> None:
    pi = Device()
    for _ in range(20):
        assert door.answer(ENROL, pi.request("hello")).code == "enrol-token-wrong"
    assert door.ask("POST", ENROL, pi.request("hello"))[0] == 429


def test_a_database_that_is_away_is_said_so_without_words(door: Door) -> None:
    door.fleet.enrolment._devices = AwayDevices()  # type: ignore[assignment]  # fails before anything else is asked of it
    assert door.ask("POST", ENROL, Device().request()) == (503, b"{}")
    assert door.ask("POST", RENEW, Device().renewal())[0] == 200, (
        "it needs no database to ask for a certificate"
    )


class AwayDevices:
    """A registry whose database is away."""

    def settle(self, *_: object) -> None:
        """Fail."""
        raise StoreFailed("fleet-database-away", "made to fail by the test")


def test_a_connection_that_says_nothing_is_ended(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "CONNECTION_SECONDS", 0.3)
    monkeypatch.setattr(listener, "BODY_SECONDS", 0.1)
    with door.raw() as silent:
        assert read_all(silent) == b""
    with door.raw() as slow:
        slow.sendall(b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12")
        assert b" 408 " in read_all(slow)


def read_all(connection: ssl.SSLSocket) -> bytes:
    said = b""
    try:
        while more := connection.recv(4096):
            said += more
    except (ConnectionError, ssl.SSLError):
        pass
    return said


def test_what_travels_names_no_server_and_is_kept_nowhere(door: Door) -> None:
    one = http.client.HTTPSConnection(HOST, door.port, context=door.context(), timeout=5)
    one.request("GET", TRUST)
    answer = one.getresponse()
    answer.read()
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    one.close()


@pytest.mark.real_process
def test_openssl_says_the_same_of_the_listener(door: Door) -> None:
    authority = door.directory / "ca.pem"
    authority.write_bytes(door.fleet.keys.authority.pem)
    pi = Device()
    door.context(pi, ended(door, pi, 100))
    command = [
        "openssl", "s_client", "-connect", f"{HOST}:{door.port}", "-CAfile", str(authority), "-verify_return_error",
        "-no_check_time", "-cert", str(door.directory / "device.crt"), "-key", str(door.directory / "device.key"),
    ]  # fmt: skip
    request = f"GET {TRUST} HTTP/1.1\r\nHost: x\r\n\r\n"
    done = subprocess.run(
        [*command, "-quiet"], input=request, capture_output=True, text=True, timeout=15, check=False
    )
    assert "HTTP/1.1 200" in done.stdout, done.stderr
    told = subprocess.run(command, input="", capture_output=True, text=True, timeout=15, check=False)
    assert "Verify return code: 0 (ok)" in told.stdout
    assert "No client certificate CA names sent" in told.stdout
    assert "New, TLSv1.3" in told.stdout


@pytest.mark.real_process
def test_curl_gets_the_trust_document_with_the_fleets_ca_alone(door: Door) -> None:
    authority = door.directory / "ca.pem"
    authority.write_bytes(door.fleet.keys.authority.pem)
    done = subprocess.run(
        ["curl", "-sS", "--cacert", str(authority), f"https://{HOST}:{door.port}{TRUST}"],
        capture_output=True, text=True, timeout=15, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["authorities"] == list(door.fleet.keys.trust.document.authorities)


def test_devices_enrol_many_at_a_time(door: Door) -> None:
    token = door.fleet.token(uses=12)
    devices = [Device(number) for number in range(12)]
    states: list[EnrolmentState] = []
    context = door.context()

    def ask(device: Device) -> None:
        states.append(door.answer(ENROL, device.request(token), context).state)

    threads = [threading.Thread(target=ask, args=(one,)) for one in devices]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert states == [EnrolmentState.ISSUED] * 12


def test_a_crowd_that_only_connects_takes_little_of_the_controllers_memory(door: Door) -> None:
    context, count = door.context(), 40
    with contextlib.ExitStack() as undo:
        tracemalloc.start()
        undo.callback(tracemalloc.stop)
        for _ in range(count):
            plain = undo.enter_context(socket.create_connection((HOST, door.port), 10))
            undo.enter_context(context.wrap_socket(plain, server_hostname=HOST))
        # asyncio would set aside 256 KiB for each, and the heap would keep that.
        assert tracemalloc.get_traced_memory()[0] < count * (64 << 10)
