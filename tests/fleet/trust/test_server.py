"""Certificates of the fleet's servers and of the controller: TLS works with them, and they are renewed in time."""

import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archipel_contract.link.secure import client_context
from archipel_contract.trust.certificates import SERVER_DAYS, read
from archipel_contract.trust.keys import new_device_key
from archipel_fleet.trust import authoring, founding
from archipel_fleet.trust.keyring import CONTROLLER, FleetKeys
from archipel_fleet.trust.server import TlsFiles
from tests.fleet.trust.changing import next_version
from tests.fleet.trust.conftest import StandingClock

NAMES = ["localhost", "127.0.0.1", "::1"]


@pytest.fixture
def today(place: Path, clock: StandingClock) -> FleetKeys:
    """Keys by the clock of this machine, as OpenSSL judges by it."""
    from archipel_fleet.host.clock import SystemClock

    return FleetKeys.first(place, "plant", SystemClock(), secrets.token_bytes)


@pytest.fixture
def server(today: FleetKeys) -> Iterator[int]:
    """A TLS server that greets each client by the name in its certificate; its port."""
    files = today.server_files("broker", NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(today.authorities_file())
    context.verify_mode = ssl.CERT_REQUIRED
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)

    def greet() -> None:
        plain, _ = listening.accept()
        plain.settimeout(10)
        try:
            with context.wrap_socket(plain, server_side=True) as secured:
                subject = secured.getpeercert() or {}
                secured.sendall(str(subject["subject"]).encode())
        except (ssl.SSLError, OSError):
            plain.close()

    thread = threading.Thread(target=greet)
    thread.start()
    with closing(listening):
        yield listening.getsockname()[1]
        thread.join(10)


def test_controller_and_broker_meet_over_tls_by_these_files(today: FleetKeys, server: int) -> None:
    client = today.client_files()
    context = client_context(
        today.trust.document.authorities, client.certificate, client.key, check_time=True
    )
    with (
        socket.create_connection(("127.0.0.1", server), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert CONTROLLER in secured.recv(1000).decode()


def test_another_fleet_s_controller_does_not_get_in(
    tmp_path: Path, today: FleetKeys, clock: StandingClock, server: int
) -> None:
    stranger = FleetKeys.first(tmp_path / "other", "plant", clock, secrets.token_bytes).client_files()
    context = client_context(
        today.trust.document.authorities, stranger.certificate, stranger.key, check_time=True
    )
    with (
        pytest.raises(OSError),
        socket.create_connection(("127.0.0.1", server), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        if not secured.recv(1000):
            raise ConnectionResetError


def test_a_certificate_is_kept_until_half_of_its_life_and_then_renewed_with_the_same_key(
    clock: StandingClock, keys: FleetKeys
) -> None:
    first = keys.server_files("broker", NAMES)
    key = first.key.read_bytes()
    assert first.changed
    clock.on(SERVER_DAYS / 2 - 10)
    assert not keys.server_files("broker", NAMES).changed
    clock.on(20)
    renewed = keys.server_files("broker", NAMES)
    assert renewed.changed
    assert renewed.not_after > first.not_after
    assert renewed.key.read_bytes() == key
    assert not keys.server_files("broker", NAMES).changed


def test_the_controller_s_own_certificate_is_renewed_too(clock: StandingClock, keys: FleetKeys) -> None:
    assert keys.client_files().changed
    assert not keys.client_files().changed
    clock.on(200)
    assert keys.client_files().changed


def test_other_names_need_another_certificate_and_the_same_names_in_another_spelling_do_not(
    keys: FleetKeys,
) -> None:
    keys.server_files("broker", ["localhost", "::1"])
    assert not keys.server_files("broker", ["[0::1]", "localhost"]).changed
    assert keys.server_files("broker", ["localhost", "::1", "fleet.example"]).changed
    assert (
        keys.server_files("enrolment", ["localhost"]).certificate
        != keys.server_files("broker", NAMES).certificate
    )


def damage_certificate(files: TlsFiles) -> None:
    files.certificate.write_text("rubbish")


def damage_key(files: TlsFiles) -> None:
    files.key.write_text("rubbish")


def damage_pair(files: TlsFiles) -> None:
    from archipel_contract.trust.keys import to_pem

    files.key.write_bytes(to_pem(new_device_key()))


@pytest.mark.parametrize("damage", [damage_certificate, damage_key, damage_pair])
def test_files_that_do_not_fit_are_made_anew(keys: FleetKeys, damage: object) -> None:
    assert callable(damage)
    damage(keys.server_files("broker", NAMES))
    files = keys.server_files("broker", NAMES)
    assert files.changed
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


def test_while_a_ca_is_exchanged_servers_keep_the_one_that_every_device_knows(
    clock: StandingClock, keys: FleetKeys
) -> None:
    from archipel_contract.trust.certificates import pin

    old = keys.authority
    first = keys.server_files("broker", NAMES).certificate.read_bytes()
    ca = new_device_key()
    new = founding.authority_for(ca, "plant", founding.dated(clock))
    keys.accept(next_version(keys, authoring.with_authority(keys.trust.document, new.pem.decode())), [ca])
    assert keys.authority.pem == new.pem  # devices get theirs from the new one
    assert not keys.server_files("broker", NAMES).changed
    assert keys.authorities_file().read_bytes() == new.pem + old.pem
    keys.accept(next_version(keys, authoring.without_authority(keys.trust.document, pin(old.pem))))
    assert keys.server_files("broker", NAMES).changed
    assert keys.authorities_file().read_bytes() == new.pem
    assert read(first).public == read(keys.server_files("broker", NAMES).certificate.read_bytes()).public
