"""Certificates as the fleet's CA issues them, read back, and judged by a second opinion: the `openssl` program."""

import base64
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from archipel_contract.trust.certificates import (
    AUTHORITY_DAYS,
    BACKDATED,
    DEVICE_DAYS,
    SERVER_DAYS,
    Authority,
    CertificateInvalid,
    pin,
    public_der,
    read,
    read_der,
    request,
    requested_key,
)
from archipel_contract.trust.keys import (
    KeyInvalid,
    from_pem,
    new_device_key,
    new_fleet_key,
    public_of,
    to_pem,
)
from archipel_contract.trust.token import pin_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NODE = "n-0000000000000001"
CA_KEY, DEVICE_KEY = new_device_key(), new_device_key()
CA = Authority.new(CA_KEY, "Archipel plant", NOW)
DEVICE = CA.device(NODE, DEVICE_KEY.public_key(), NOW)
SERVER = CA.server(["fleet.example", "10.0.0.1", "[fd00::1]"], DEVICE_KEY.public_key(), NOW)
REQUEST = request(DEVICE_KEY)


def der(pem: bytes) -> bytes:
    """The same certificate as DER."""
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def openssl(*words: str) -> subprocess.CompletedProcess[str]:
    """What the program says."""
    return subprocess.run(["openssl", *words], capture_output=True, text=True, timeout=10, check=False)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """CA, device and server as files."""
    for name, pem in (("ca", CA.pem), ("device", DEVICE.pem), ("server", SERVER.pem)):
        (tmp_path / f"{name}.pem").write_bytes(pem)
    yield tmp_path


def verified(place: Path, name: str, *more: str) -> bool:
    """Whether openssl believes a certificate, strictly and at our time."""
    at = ["-attime", str(int(NOW.timestamp())), "-x509_strict"]
    answer = openssl("verify", *at, *more, "-CAfile", str(place / "ca.pem"), str(place / f"{name}.pem"))
    return answer.returncode == 0


# --- what they say ---------------------------------------------------------------------------------------------------


def test_a_certificate_says_who_until_when_and_with_which_key() -> None:
    assert (DEVICE.name, DEVICE.public) == (NODE, public_of(DEVICE_KEY))
    assert (DEVICE.not_before, DEVICE.not_after) == (NOW - BACKDATED, NOW + timedelta(days=DEVICE_DAYS))
    assert DEVICE.not_before < DEVICE.half_life < DEVICE.not_after
    assert read(DEVICE.pem) == read_der(der(DEVICE.pem)) == DEVICE


def test_every_certificate_has_a_serial_number_of_its_own() -> None:
    assert len({CA.device(NODE, DEVICE_KEY.public_key(), NOW).serial for _ in range(5)}) == 5


def test_a_certificate_never_outlives_its_ca() -> None:
    late = NOW + timedelta(days=AUTHORITY_DAYS - 10)
    assert CA.device(NODE, DEVICE_KEY.public_key(), late).not_after == read(CA.pem).not_after


def test_a_pin_is_of_the_ca_s_key_and_stays_when_its_certificate_is_made_anew() -> None:
    assert pin(CA.pem) == pin(Authority.new(CA_KEY, "another name", NOW).pem) == pin_of(public_der(CA.pem))
    assert pin(CA.pem) != pin(Authority.new(new_device_key(), "Archipel plant", NOW).pem)


def test_a_ca_needs_the_key_of_its_certificate() -> None:
    with pytest.raises(CertificateInvalid, match="does not belong"):
        Authority(new_device_key(), CA.pem)
    with pytest.raises(CertificateInvalid):
        Authority(CA_KEY, b"rubbish")


@pytest.mark.parametrize("names", [[], ["münchen.example"], [""]])
def test_names_that_cannot_stand_in_a_certificate_are_refused(names: list[str]) -> None:
    with pytest.raises(CertificateInvalid):
        CA.server(names, DEVICE_KEY.public_key(), NOW)


def test_a_long_name_of_a_fleet_is_cut_for_its_ca() -> None:
    assert read(Authority.new(CA_KEY, "Werk " * 40, NOW).pem).name == ("Werk " * 40)[:64]


# --- by openssl's opinion --------------------------------------------------------------------------------------------


@pytest.mark.real_process
def test_openssl_believes_device_and_server_each_for_its_purpose_only(place: Path) -> None:
    assert verified(place, "device", "-purpose", "sslclient")
    assert not verified(place, "device", "-purpose", "sslserver")
    assert verified(place, "server", "-purpose", "sslserver")
    assert not verified(place, "server", "-purpose", "sslclient")


@pytest.mark.real_process
def test_openssl_finds_the_names_of_a_server_and_no_others(place: Path) -> None:
    for words in (
        ("-verify_hostname", "fleet.example"),
        ("-verify_ip", "10.0.0.1"),
        ("-verify_ip", "fd00::1"),
    ):
        assert verified(place, "server", *words)
    assert not verified(place, "server", "-verify_hostname", "evil.example")
    assert not verified(place, "server", "-verify_ip", "10.0.0.2")


@pytest.mark.real_process
def test_openssl_reads_the_same_subject_dates_and_serial_number(place: Path) -> None:
    said = openssl(
        "x509", "-in", str(place / "device.pem"), "-noout", "-subject", "-serial", "-enddate"
    ).stdout
    assert NODE in said
    assert f"serial={DEVICE.serial:X}".lower() in said.lower().replace("serial=0", "serial=")
    assert "Nov 22 12:00:00 2027 GMT" in said


@pytest.mark.real_process
def test_a_devices_subject_names_node_and_key_in_this_order_and_a_clients_its_name_alone(place: Path) -> None:
    client = CA.client("controller", DEVICE_KEY.public_key(), NOW, 1)
    (place / "client.pem").write_bytes(client.pem)

    def subject(name: str) -> str:
        words = ("-noout", "-subject", "-nameopt", "RFC2253")
        return openssl("x509", "-in", str(place / f"{name}.pem"), *words).stdout.strip()

    assert subject("device") == f"subject=CN={NODE},OU={public_of(DEVICE_KEY).key_id}"
    assert subject("client") == "subject=CN=controller"
    assert verified(place, "client", "-purpose", "sslclient")
    assert len(der(DEVICE.pem)) < 420  # it travels at each handshake


@pytest.mark.real_process
def test_a_device_cannot_issue_certificates_for_others(place: Path) -> None:
    forged = Authority(DEVICE_KEY, DEVICE.pem).device(
        "n-9999999999999999", new_device_key().public_key(), NOW
    )
    (place / "forged.pem").write_bytes(forged.pem)
    (place / "chain.pem").write_bytes(DEVICE.pem)
    assert not verified(place, "forged", "-untrusted", str(place / "chain.pem"))


@pytest.mark.real_process
def test_another_ca_of_the_same_name_is_not_believed_and_does_not_stand_in_the_way(place: Path) -> None:
    other = Authority.new(new_device_key(), "Archipel plant", NOW)
    (place / "other.pem").write_bytes(other.device(NODE, DEVICE_KEY.public_key(), NOW).pem)
    assert not verified(place, "other")
    for first, second in ((CA.pem, other.pem), (other.pem, CA.pem)):
        (place / "ca.pem").write_bytes(first + second)
        assert verified(place, "other")
        assert verified(place, "device")


@pytest.mark.real_process
def test_a_revoked_serial_number_is_refused_and_the_list_holds_for_months(place: Path) -> None:
    other = CA.device("n-0000000000000002", new_device_key().public_key(), NOW)
    (place / "other.pem").write_bytes(other.pem)
    (place / "crl.pem").write_bytes(CA.revocations([DEVICE.serial, DEVICE.serial], NOW))
    crl = ("-crl_check", "-CRLfile", str(place / "crl.pem"))
    assert not verified(place, "device", *crl)
    assert verified(place, "other", *crl)
    until = openssl("crl", "-in", str(place / "crl.pem"), "-noout", "-nextupdate").stdout
    assert "Feb 20 12:00:00 2027 GMT" in until


@pytest.mark.real_process
@pytest.mark.parametrize(
    ("days", "good"), [(-6, True), (-8, False), (SERVER_DAYS - 1, True), (SERVER_DAYS + 1, False)]
)
def test_a_clock_some_days_behind_is_forgiven(place: Path, days: int, good: bool) -> None:
    at = ("-attime", str(int((NOW + timedelta(days=days)).timestamp())))
    answer = openssl("verify", *at, "-CAfile", str(place / "ca.pem"), str(place / "server.pem"))
    assert (answer.returncode == 0) == good


@pytest.mark.real_process
def test_openssl_verifies_our_request(tmp_path: Path) -> None:
    (tmp_path / "r.pem").write_bytes(REQUEST)
    answer = openssl("req", "-in", str(tmp_path / "r.pem"), "-verify", "-noout", "-subject")
    assert answer.returncode == 0
    assert "n-" not in answer.stdout  # it asks for no name


# --- requests and rubbish --------------------------------------------------------------------------------------------


def test_of_a_request_only_the_key_is_taken() -> None:
    assert requested_key(REQUEST)[0] == public_of(DEVICE_KEY)
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "controller")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(DEVICE_KEY, hashes.SHA256())
    )
    public, key = requested_key(greedy.public_bytes(serialization.Encoding.PEM))
    made = x509.load_pem_x509_certificate(CA.device(NODE, key, NOW).pem)
    assert public == public_of(DEVICE_KEY)
    assert "controller" not in made.subject.rfc4514_string()
    with pytest.raises(x509.ExtensionNotFound):
        made.extensions.get_extension_for_class(x509.BasicConstraints)


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())]
)
def test_a_request_for_another_kind_of_key_is_refused(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    with pytest.raises(CertificateInvalid):
        requested_key(made.public_bytes(serialization.Encoding.PEM))


def test_a_request_signed_by_another_key_is_refused() -> None:
    mine, other = (der_of(one) for one in (request(DEVICE_KEY), request(new_device_key())))
    spliced = mine[:60] + other[60:] if len(mine) == len(other) else other[:-4] + b"\0\0\0\0"
    with pytest.raises(CertificateInvalid):
        requested_key(pem_of(spliced))


def der_of(pem: bytes) -> bytes:
    """A request as DER."""
    return x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)


def pem_of(data: bytes) -> bytes:
    """DER that need not be a request, dressed as one."""
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n".encode()


@hypothesis.given(place=st.integers(0, 10_000), bits=st.integers(1, 255))
def test_a_request_with_any_byte_changed_is_refused_or_still_for_the_same_key(place: int, bits: int) -> None:
    data = bytearray(der_of(REQUEST))
    data[place % len(data)] ^= bits
    try:
        assert requested_key(pem_of(bytes(data)))[0] == public_of(DEVICE_KEY)
    except CertificateInvalid as error:
        assert str(error)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # one of the bytes is in it
@hypothesis.given(place=st.integers(0, 10_000), bits=st.integers(1, 255))
def test_a_certificate_with_any_byte_changed_is_read_or_refused_and_nothing_else(
    place: int, bits: int
) -> None:
    data = bytearray(der(DEVICE.pem))
    data[place % len(data)] ^= bits
    try:
        read_der(bytes(data))
    except CertificateInvalid as error:
        assert str(error)


@hypothesis.given(st.binary(max_size=200))
def test_rubbish_is_no_certificate_request_or_ca(rubbish: bytes) -> None:
    for reading in (read, read_der, public_der, requested_key, lambda data: Authority(CA_KEY, data)):
        with pytest.raises(CertificateInvalid):
            reading(rubbish)


# --- private keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, b"correct horse"])
def test_a_private_key_comes_back_from_its_file_with_its_password_only(password: bytes | None) -> None:
    for key in (new_fleet_key(), DEVICE_KEY):
        text = to_pem(key, password)
        assert public_of(from_pem(text, password)) == public_of(key)
        for wrong in {None, b"wrong"} - {password}:
            with pytest.raises(KeyInvalid) as caught:
                from_pem(text, wrong)
            assert "PRIVATE" not in str(caught.value)
