"""Enrolling and renewing over real TLS on this machine: what OpenSSL lets through, and what it does not."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.enroller import HttpsEnroller
from archipel_agent.ports import EnrolFailed
from archipel_contract.status import Membership
from tests.agent.identity.devices import Device
from tests.fakes.enrolment import NODE, FakeFleet, FleetKeys, serving_tls


@pytest.fixture
def real(tmp_path: Path) -> Device:
    """A device with real files, and real TLS."""
    return Device(HttpsEnroller(timeout=5.0), tmp_path / "root", SystemDisk())


def present(fleet: FakeFleet, device: Device) -> None:
    """Have it be now at both ends, as OpenSSL reads the real clock."""
    fleet.now = datetime.now(UTC)
    device.clock.jump(fleet.now)


def test_a_device_enrols_and_its_certificate_is_asked_for_when_it_renews(
    real: Device, fleet: FakeFleet, tmp_path: Path
) -> None:
    present(fleet, real)
    fleet.days = 10
    with serving_tls(fleet, tmp_path) as address:
        shown = real.keeper.invite(f"{address}/#{fleet.token().text}")
        assert shown.state is Membership.ENROLLED, shown
        assert fleet.issued[0].name == NODE
        real.pass_time(4.5 * 86_400)
        assert len(fleet.issued) == 2  # the server has seen the first one's name on the connection
        real.identity.context(check_time=True)
        assert real.identity.certificate == fleet.issued[1]


def test_a_clock_in_1970_enrols_with_a_ca_whose_time_has_not_come(
    real: Device, fleet: FakeFleet, tmp_path: Path
) -> None:
    fleet.now = datetime.now(UTC) + timedelta(days=365 * 10)  # for OpenSSL this machine is a decade behind
    real.set_clock(datetime(1970, 1, 1, tzinfo=UTC), sure=False)
    with serving_tls(fleet, tmp_path) as address:
        assert real.keeper.invite(f"{address}/#{fleet.token().text}").state is Membership.ENROLLED
    assert real.believed == [int(fleet.now.timestamp() * 1000)]


def test_a_good_clock_notices_a_server_whose_certificate_has_not_begun(
    real: Device, fleet: FakeFleet, tmp_path: Path
) -> None:
    fleet.now = datetime.now(UTC) + timedelta(days=365)
    with serving_tls(fleet, tmp_path) as address:
        shown = real.keeper.invite(f"{address}/#{fleet.token().text}")
    assert (shown.state, shown.code) == (Membership.WAITING, "identity-fleet-away")
    assert "not yet valid" in shown.message
    assert fleet.requests == []


def test_a_proxy_with_a_ca_of_its_own_is_refused_before_the_token_is_said(
    real: Device, fleet: FakeFleet, other_keys: FleetKeys, tmp_path: Path
) -> None:
    present(fleet, real)
    with serving_tls(fleet, tmp_path, keys=other_keys) as address:
        shown = real.keeper.invite(f"{address}/#{fleet.token().text}")
    assert shown.code == "identity-wrong-authority"
    assert fleet.requests == []


def test_a_token_of_another_fleet_is_not_shown_to_this_one(
    real: Device, fleet: FakeFleet, other_keys: FleetKeys, tmp_path: Path
) -> None:
    present(fleet, real)
    with serving_tls(fleet, tmp_path) as address:
        shown = real.keeper.invite(f"{address}/#{FakeFleet(other_keys).token().text}")
    assert shown.code == "identity-wrong-authority"
    assert fleet.requests == []


def test_a_server_under_another_name_is_refused(real: Device, fleet: FakeFleet, tmp_path: Path) -> None:
    present(fleet, real)
    with serving_tls(fleet, tmp_path, names=("fleet.example",)) as address:
        shown = real.keeper.invite(f"{address}/#{fleet.token().text}")
    assert shown.code == "identity-wrong-authority"
    assert "127.0.0.1" in shown.message
    assert fleet.requests == []


def test_a_tunnel_through_a_proxy_reaches_the_fleet(real: Device, fleet: FakeFleet, tmp_path: Path) -> None:
    present(fleet, real)
    with serving_tls(fleet, tmp_path) as address, socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(address.rpartition(":")[2])
        proxy = threading.Thread(target=_pass_on, args=(listening, port), name="proxy")
        proxy.start()
        enroller = HttpsEnroller(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=5.0)
        said = enroller.ask(f"https://localhost:{port}", "/v1/trust", b"", None)
        proxy.join(10)
    assert b"Plants of the north" in said


def _pass_on(listening: socket.socket, port: int) -> None:
    """Serve one CONNECT."""
    client, _ = listening.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        assert head.startswith(f"CONNECT localhost:{port} ".encode())
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(server, client), name="proxy-back")
        back.start()
        _pump(client, server)
        back.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65_536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def test_what_is_no_enrolment_is_said_in_one_line(tmp_path: Path) -> None:
    enroller = HttpsEnroller(timeout=2.0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    with pytest.raises(EnrolFailed, match="Connection refused"):
        enroller.ask(f"https://127.0.0.1:{nobody}", "/v1/trust", b"", None)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        said = threading.Thread(target=_babble, args=(listening,), name="babble")
        said.start()
        with pytest.raises(EnrolFailed, match=r"127\.0\.0\.1") as caught:
            enroller.ask(f"https://127.0.0.1:{port}", "/v1/trust", b"", None)
        said.join(10)
    assert not caught.value.is_untrusted
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def _babble(listening: socket.socket) -> None:
    connected, _ = listening.accept()
    with connected:
        connected.recv(1024)
        connected.sendall(b"220 mail.example ESMTP\r\n")
