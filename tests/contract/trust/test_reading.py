"""A device's own certificate read without the library: the same as the library reads, and nothing else ever raised."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, random_serial_number
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from archipel_contract import der
from archipel_contract.trust import certificates, reading
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import new_device_key

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CA_KEY = new_device_key()
CA = Authority.new(CA_KEY, "Archipel plant", NOW)
KEYS = st.integers(1, 1 << 200).map(lambda number: ec.derive_private_key(number, ec.SECP256R1()).public_key())
DEVICE = CA.device("n-0000000000000001", new_device_key().public_key(), NOW).pem


def made(name: str, key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey, begins: datetime) -> bytes:
    """Return a certificate with hardly anything in it."""
    said = Name([NameAttribute(NameOID.COMMON_NAME, name)]) if name else Name([])
    builder = CertificateBuilder().subject_name(said).issuer_name(said).public_key(key)
    builder = builder.serial_number(random_serial_number()).not_valid_before(begins)
    builder = builder.not_valid_after(begins + timedelta(days=40))
    return builder.sign(CA_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@given(
    st.text(st.characters(categories=["L", "N", "P"]), max_size=20),
    KEYS,
    st.integers(-600_000_000, 4_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)),
)
def test_both_readers_read_the_same(name: str, key: ec.EllipticCurvePublicKey, begins: datetime) -> None:
    pem = made(name, key, begins)
    assert reading.read(pem) == certificates.read(pem)


def test_what_the_fleet_issues_is_read_as_the_library_reads_it() -> None:
    for pem in (DEVICE, CA.pem, CA.server(["fleet.example"], CA_KEY.public_key(), NOW).pem):
        assert reading.read(pem) == certificates.read(pem)
    assert reading.read(b"a line before it\n" + DEVICE + CA.pem).pem == DEVICE


@given(st.integers(0, 1 << 16), st.integers(1, 255), st.booleans())
def test_whatever_has_fallen_over_on_the_card_is_said_to_be_unusable_or_read(
    place: int, flipped: int, is_cut: bool
) -> None:
    whole = bytearray(der.from_pem(DEVICE))
    place %= len(whole)
    whole[place] ^= flipped
    spoilt = reading._pem(bytes(whole[:place] if is_cut else whole))
    try:
        seen = reading.read(spoilt)
    except reading.CertificateInvalid as error:
        assert "no certificate" in str(error)
    else:
        assert seen.pem == spoilt


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_said_so(pem: bytes) -> None:
    with pytest.raises(reading.CertificateInvalid, match="no certificate"):
        reading.read(pem)


def test_a_certificate_for_another_kind_of_key_is_not_one_we_can_use() -> None:
    other = made("n-0000000000000001", ed25519.Ed25519PrivateKey.generate().public_key(), NOW)
    with pytest.raises(reading.CertificateInvalid, match="P-256"):
        reading.read(other)


@pytest.mark.real_process
def test_a_device_that_is_enrolled_holds_no_library_for_certificates_in_memory() -> None:
    program = (
        "import sys, archipel_agent.identity.making, archipel_agent.link.making, archipel_agent.remote.desk; "
        "print('cryptography.x509' in sys.modules, 'cryptography' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.split() == ["False", "True"]
