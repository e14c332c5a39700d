"""Certificates of the fleet's own servers and of the controller as a client: files for TLS, renewed from half of life on.

    tls/<label>.key      P-256, made once: only the certificate is exchanged, in one stroke, so the pair always fits
    tls/<label>.pem      the certificate
    tls/authorities.pem  every CA of the trust document

Called by `keyring`. Who serves TLS reads the files anew, or restarts what cannot, when `TlsFiles.changed` says so.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from archipel_contract.trust.certificates import SERVER_DAYS, Authority, Certificate, CertificateInvalid, read
from archipel_contract.trust.keys import KeyInvalid, from_pem, new_device_key, public_of, to_pem
from archipel_fleet.host import files
from archipel_fleet.trust.refusal import KeysRefused

DIRECTORY = "tls"
CLIENT_DAYS = 365


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths as `ssl.SSLContext.load_cert_chain` takes them. `changed`: the certificate was made in this call."""

    certificate: Path
    key: Path
    not_after: datetime
    changed: bool


def issuer_of_servers(authorities: tuple[Authority, ...], now: datetime) -> Authority:
    """Return the CA that issues our servers' certificates: the oldest one that outlives them, which every device knows."""
    lasting = [one for one in authorities if read(one.pem).not_after > now + timedelta(days=SERVER_DAYS)]
    return (lasting or authorities)[-1]


def server(
    directory: Path, label: str, names: tuple[str, ...], authorities: tuple[Authority, ...], now: datetime
) -> TlsFiles:
    """Return a server's files; raise KeysRefused."""
    issuer = issuer_of_servers(authorities, now)
    place = _Place(directory, label)
    wanted = frozenset(_shown(names))

    def is_good(pem: bytes) -> bool:
        return _names(pem) == wanted

    return place.renewed(issuer, now, is_good, lambda key: issuer.server(names, key.public_key(), now))


def client(directory: Path, name: str, authorities: tuple[Authority, ...], now: datetime) -> TlsFiles:
    """Return a client's files, its common name being `name`; raise KeysRefused. The newest CA issues: brokers know all."""
    issuer = authorities[0]
    place = _Place(directory, name)

    def is_good(pem: bytes) -> bool:
        return read(pem).name == name

    return place.renewed(
        issuer, now, is_good, lambda key: issuer.client(name, key.public_key(), now, CLIENT_DAYS)
    )


def authorities(directory: Path, texts: Iterable[str]) -> Path:
    """Return the file with these CAs, written if it says something else; raise KeysRefused."""
    path = directory / DIRECTORY / "authorities.pem"
    text = "".join(texts)
    try:
        files.make_private(path.parent)
        if not path.exists() or path.read_text(encoding="ascii", errors="replace") != text:
            files.write_private(path, text)
    except OSError as error:
        raise _refused(path, error) from error
    return path


class _Place:
    """The two files of one label."""

    def __init__(self, directory: Path, label: str) -> None:
        self._certificate = directory / DIRECTORY / f"{label}.pem"
        self._key = directory / DIRECTORY / f"{label}.key"

    def renewed(self, issuer: Authority, now: datetime, is_good: "_Judge", issue: "_Issue") -> TlsFiles:
        try:
            files.make_private(self._key.parent)
            key = self._own_key()
            kept = self._kept(key, issuer, now, is_good)
            if kept is not None:
                return TlsFiles(self._certificate, self._key, kept.not_after, changed=False)
            made = issue(key)
            files.write_private(self._certificate, made.pem.decode())
            files.flush_directory(self._certificate.parent)
        except OSError as error:
            raise _refused(self._certificate, error) from error
        except CertificateInvalid as error:
            raise KeysRefused("fleet-authority-unfit", str(error)) from error
        return TlsFiles(self._certificate, self._key, made.not_after, changed=True)

    def _own_key(self) -> EllipticCurvePrivateKey:
        try:
            key = from_pem(self._key.read_bytes())
            if isinstance(key, EllipticCurvePrivateKey):
                return key
        except (FileNotFoundError, KeyInvalid):
            pass  # nothing depends on this key: another takes its place
        made = new_device_key()
        files.write_private(self._key, to_pem(made).decode())
        return made

    def _kept(
        self, key: EllipticCurvePrivateKey, issuer: Authority, now: datetime, is_good: "_Judge"
    ) -> Certificate | None:
        """Return the certificate that lies here, if it is worth keeping."""
        try:
            pem = self._certificate.read_bytes()
            said = read(pem)
            fits = said.public == public_of(key) and _issued_by(pem, issuer)
        except (FileNotFoundError, CertificateInvalid):
            return None
        return said if fits and is_good(pem) and said.not_before <= now < said.half_life else None


def _issued_by(pem: bytes, issuer: Authority) -> bool:
    try:
        x509.load_pem_x509_certificate(pem).verify_directly_issued_by(
            x509.load_pem_x509_certificate(issuer.pem)
        )
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names(pem: bytes) -> frozenset[str]:
    """Return host names and addresses that a server's certificate holds."""
    try:
        found = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    return frozenset(str(one.value) for one in found.value)


def _shown(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        try:
            yield str(ip_address(name.strip("[]")))
        except ValueError:
            yield name


def _refused(path: Path, error: OSError) -> KeysRefused:
    return KeysRefused("fleet-keys-damaged", str(error.strerror or error), file=str(path))


_Judge = Callable[[bytes], bool]
_Issue = Callable[[EllipticCurvePrivateKey], Certificate]
