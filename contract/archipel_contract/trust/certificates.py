"""X.509 as the fleet uses it: what a certificate says, requests, and the fleet's own CA issuing them. Over `cryptography`.

All keys are P-256. A device's certificate has its node id as common name, the id of its key as organizational unit, and
nothing else about it; a server's has its names. The key's id is for brokers that know whom to let in by the subject alone: a
key that no longer counts has another subject than the one after it. Certificates are kept as small as RFC 5280 allows,
because each handshake of a metered link carries two of them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from archipel_contract.trust.keys import PublicKey, public_of
from archipel_contract.trust.reading import Certificate as Certificate
from archipel_contract.trust.reading import CertificateInvalid as CertificateInvalid
from archipel_contract.trust.token import pin_of

BACKDATED = timedelta(days=7)  # so that a device whose clock is some days behind is not told that it is early
AUTHORITY_DAYS = 20 * 365  # longer than any device stands in a cabinet; exchanged by a new trust document
DEVICE_DAYS = 365
SERVER_DAYS = 397  # the longest that browsers take


# What the library raises for what it cannot read; not all of it is a ValueError, and a kind of text it has no name for is a
# KeyError.
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
)
NAME_LIMIT = 64  # characters of a common name (RFC 5280, ub-common-name)


def read(pem: bytes) -> Certificate:
    """Return what a certificate in PEM says; raise CertificateInvalid."""
    try:
        return _said(x509.load_pem_x509_certificate(pem))
    except UNREADABLE as error:
        raise CertificateInvalid(f"this is no certificate we can use: {error}") from None


def read_der(der: bytes) -> Certificate:
    """Return what a certificate in DER says, as TLS hands it over; raise CertificateInvalid."""
    try:
        return _said(x509.load_der_x509_certificate(der))
    except UNREADABLE as error:
        raise CertificateInvalid(f"this is no certificate we can use: {error}") from None


def is_of(pem: bytes, authorities: bytes) -> bool:
    """Whether one of these CAs (PEM, several in a row) has given a certificate, whenever; raise CertificateInvalid."""
    try:
        one, known = x509.load_pem_x509_certificate(pem), x509.load_pem_x509_certificates(authorities)
    except UNREADABLE as error:
        raise CertificateInvalid(f"this is no certificate we can use: {error}") from None
    return any(_is_issuer(authority, one) for authority in known)


def _is_issuer(authority: x509.Certificate, one: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(authority)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _said(one: x509.Certificate) -> Certificate:
    return Certificate(
        name=_common_name(one.subject),
        serial=one.serial_number,
        public=public_of(one.public_key()),
        not_before=one.not_valid_before_utc,
        not_after=one.not_valid_after_utc,
        pem=one.public_bytes(serialization.Encoding.PEM),
    )


def pin(authority_pem: bytes) -> str:
    """Return the pin of a CA by which a token names it; raise CertificateInvalid."""
    return pin_of(public_der(authority_pem))


def public_der(certificate_pem: bytes) -> bytes:
    """Return the DER of a certificate's public key; raise CertificateInvalid."""
    try:
        key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    except UNREADABLE as error:
        raise CertificateInvalid(f"this is no certificate: {error}") from None
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_der(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the DER of a public key (SubjectPublicKeyInfo), for claim codes."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def request(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a certificate request (PKCS#10, PEM) for a key. It asks for no name: the fleet gives one."""
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def requested_key(pem: bytes) -> tuple[PublicKey, ec.EllipticCurvePublicKey]:
    """Return the key a request is for, its own signature verified; raise CertificateInvalid. All else in it is ignored."""
    try:
        asked = x509.load_pem_x509_csr(pem)
        key = asked.public_key()
        if not asked.is_signature_valid:
            raise CertificateInvalid("the request is not signed by the key it is for")
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise CertificateInvalid("the request's key is not P-256")
        return public_of(key), key
    except UNREADABLE as error:
        raise CertificateInvalid(f"this is no certificate request we can use: {error}") from None


class Authority:
    """A CA with its key, which issues certificates. `now` is UTC."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate_pem: bytes) -> None:
        """Raise CertificateInvalid when the certificate is not this key's."""
        self._key = key
        self.pem = certificate_pem
        try:
            self._certificate = x509.load_pem_x509_certificate(certificate_pem)
            public = public_of(self._certificate.public_key())
        except UNREADABLE as error:
            raise CertificateInvalid(f"this is no certificate of a CA: {error}") from None
        if public != public_of(key):
            raise CertificateInvalid("the CA's certificate does not belong to its key")

    @classmethod
    def new(cls, key: ec.EllipticCurvePrivateKey, name: str, now: datetime) -> "Authority":
        """Return a new self-signed CA; raise CertificateInvalid for a name that cannot stand in a certificate."""
        subject = _named(name)
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made = (
            _builder(subject, subject, key.public_key(), now, now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key, made.public_bytes(serialization.Encoding.PEM))

    def device(
        self, node_id: str, key: ec.EllipticCurvePublicKey, now: datetime, days: int = DEVICE_DAYS
    ) -> Certificate:
        """Return a certificate for a device: for TLS as a client, under its node id and the id of this very key."""
        subject = _named(node_id, public_of(key).key_id)
        return self._issue(subject, key, now, days, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def client(self, name: str, key: ec.EllipticCurvePublicKey, now: datetime, days: int) -> Certificate:
        """Return a certificate for a program of the fleet itself, which brokers know by name: for TLS as a client."""
        return self._issue(_named(name), key, now, days, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def server(
        self, names: Iterable[str], key: ec.EllipticCurvePublicKey, now: datetime, days: int = SERVER_DAYS
    ) -> Certificate:
        """Return a certificate for a server: for TLS under host names and addresses; the first is its common name.

        Raises CertificateInvalid without a name, or for one that cannot stand in a certificate.
        """
        known = tuple(dict.fromkeys(names))
        if not known:
            raise CertificateInvalid("a server's certificate needs a name")
        return self._issue(_named(known[0]), key, now, days, ExtendedKeyUsageOID.SERVER_AUTH, known)

    def revocations(self, serials: Iterable[int], now: datetime, days: int = 90) -> bytes:
        """Return a list of revoked certificates (CRL, PEM). A broker that holds one past its end refuses everybody."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - BACKDATED)
            .next_update(now + timedelta(days=days))
        )
        made = made.add_extension(x509.CRLNumber(max(0, int(now.timestamp()))), critical=False)
        made = made.add_extension(self._issuer_id(), critical=False)
        for serial in sorted(set(serials)):
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - BACKDATED)
            made = made.add_revoked_certificate(one.build())
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _issue(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        now: datetime,
        days: int,
        usage: x509.ObjectIdentifier,
        names: tuple[str, ...],
    ) -> Certificate:
        # Names its issuer's key, by which OpenSSL finds the right one of two CAs of one name while they are exchanged.
        made = (
            _builder(subject, self._certificate.subject, key, now, self._until(now, days))
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(self._issuer_id(), critical=False)
        )
        if names:
            made = made.add_extension(
                x509.SubjectAlternativeName([_alternative(one) for one in names]), critical=False
            )
        return _said(made.sign(self._key, hashes.SHA256()))

    def _until(self, now: datetime, days: int) -> datetime:
        """Return when a certificate ends: never after its CA."""
        return min(now.astimezone(UTC) + timedelta(days=days), self._certificate.not_valid_after_utc)

    def _issuer_id(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())


def _named(name: str, key_id: str = "") -> x509.Name:
    """Return a subject. Written as RFC 4514 has it, which begins with what stands last, it is `CN=name,OU=key id`."""
    unit = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, key_id)] if key_id else []
    try:
        return x509.Name([*unit, x509.NameAttribute(NameOID.COMMON_NAME, name[:NAME_LIMIT])])
    except (ValueError, TypeError) as error:
        raise CertificateInvalid(f"{name[:80]!r} cannot stand in a certificate: {error}") from None


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - BACKDATED)
        .not_valid_after(until.astimezone(UTC))
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name.strip("[]")))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise CertificateInvalid(f"{name[:80]!r} is no host name for a certificate: {error}") from None


def _common_name(subject: x509.Name) -> str:
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""
