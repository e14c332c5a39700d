"""When certificates end, read from their bytes: of a real k3s, of our own authority, of this machine, and of rubbish."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from archipel_agent.host.disk import SystemDisk
from archipel_agent.k3s.certificates import NotReadable, certificates, first_to_end, validity
from archipel_agent.paths import Paths
from archipel_agent.rehearsal.certificates import certificate
from archipel_contract.trust.certificates import Authority

# k3s gives its authorities the serial number 0, which the library of the tests does not like.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")

RECORDED = Path(__file__).with_name("recorded")  # the public half of what k3s v1.36.3 made on a test host
OF_THIS_MACHINE = sorted(Path("/etc/ssl/certs").glob("*.pem"))
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("path", sorted(RECORDED.rglob("*.crt")), ids=lambda path: path.name)
def test_the_dates_of_what_a_real_k3s_makes_are_read(path: Path) -> None:
    known = x509.load_pem_x509_certificate(path.read_bytes())
    assert validity(path.read_bytes()) == (known.not_valid_before_utc, known.not_valid_after_utc)


@pytest.mark.parametrize("day", [datetime(1955, 3, 4, tzinfo=UTC), NOW, datetime(2060, 1, 2, tzinfo=UTC)])
def test_both_ways_of_writing_a_date_are_read(day: datetime) -> None:
    made = Authority.new(ec.generate_private_key(ec.SECP256R1()), "test", day)
    known = x509.load_pem_x509_certificate(made.pem)
    assert validity(made.pem) == (known.not_valid_before_utc, known.not_valid_after_utc)


@pytest.mark.skipif(not OF_THIS_MACHINE, reason="this machine has no certificate authorities")
def test_the_dates_of_every_authority_this_machine_knows_are_read() -> None:
    for path in OF_THIS_MACHINE:
        pem = path.read_bytes()
        known = x509.load_pem_x509_certificate(pem)
        assert validity(pem) == (known.not_valid_before_utc, known.not_valid_after_utc), path


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"hello", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", certificate(NOW, NOW)[:60]],
)
def test_what_is_no_certificate_is_not_read(rubbish: bytes) -> None:
    with pytest.raises(NotReadable):
        validity(rubbish)


@given(st.data())
def test_a_damaged_certificate_is_read_or_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    pem = bytearray((RECORDED / "agent/client-kubelet.crt").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        pem[data.draw(st.integers(0, len(pem) - 1))] = data.draw(st.integers(0, 255))
    try:
        begins, ends = validity(bytes(pem))
    except NotReadable:
        return
    assert begins.tzinfo is UTC and ends.tzinfo is UTC


def test_all_certificates_of_a_node_are_found_and_the_authorities_are_told_apart(tmp_path: Path) -> None:
    paths, disk = Paths(tmp_path), SystemDisk()
    for path in RECORDED.rglob("*.crt"):
        disk.write(paths.k3s_data / path.relative_to(RECORDED), path.read_bytes())
    disk.write(paths.k3s_data / "agent/empty.crt", b"")
    disk.write(paths.k3s_data / "server/tls/temporary-certs/other.crt", certificate(NOW, NOW))
    found = certificates(disk, paths)
    assert {one.file for one in found if one.kind == "authority"} == {
        "server/tls/client-ca.crt",
        "server/tls/client-ca.nochain.crt",
        "agent/server-ca.crt",
    }
    assert {one.kind for one in found if one.file.startswith("agent/") and "ca" not in one.file} == {"agent"}
    assert len(found) == 9
    first = first_to_end(found)
    assert first is not None
    assert first.ends == datetime(2027, 11, 22, 13, 14, 17, tzinfo=UTC)  # as `k3s certificate check` says


def test_before_k3s_has_made_any_there_is_none(tmp_path: Path) -> None:
    assert certificates(SystemDisk(), Paths(tmp_path)) == ()
    assert first_to_end(()) is None


def test_a_rehearsed_certificate_says_its_dates() -> None:
    assert validity(certificate(NOW, NOW + timedelta(days=365))) == (NOW, NOW + timedelta(days=365))
